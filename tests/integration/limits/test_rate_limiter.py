"""The rate limiter on a real Redis. Time is advanced by making the state in Redis older."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from random import Random
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.domain.errors import BadUserInput, RateLimited
from app.domain.rate_limits import MINUTE, Activity, BlockingRule, Limit, Limits
from app.domain.users import Caller, Role
from app.services.limits.local_limiter import LocalLimiter
from app.services.limits.rate_limiter import SCRIPT, RateLimiter
from app.services.limits.refusal_delay import RefusalDelay
from app.services.limits.shards import CLUSTER_SHARDS, MAX_BATCH_SIZE, MAX_CONCURRENT_BATCHES
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.redis_caller import REDIS_FAILURES, RedisCaller
from tests.support.limits import ShiftableTime, limits
from tests.support.runtime import runtime_for
from tests.support.service import caller

QUERY = {Activity.QUERY: 1}
SUBMIT = {Activity.SUBMIT: 1}
HOME = "192.0.2.1"


class FrozenClock:
    """A clock for a process and for the script of the rate limiter, so that both decide at exactly the same time."""

    def __init__(self, redis: Redis, key: str) -> None:
        self._redis = redis
        self._key = key
        self._now = 0

    def monotonic(self) -> float:
        return float(self._now)

    async def advance(self, seconds: int) -> None:
        self._now += seconds
        await self._redis.set(self._key, self._now)

    def patch(self, script: str) -> str:
        """The script with this clock, and with keys that live a thousand times as long, as no key may expire."""
        for original, replacement in (
            ("redis.call('TIME')", f"{{redis.call('GET', '{self._key}'), 0}}"),
            ("'PEXPIRE'", "'EXPIRE'"),
            ("'PX'", "'EX'"),
        ):
            assert original in script
            script = script.replace(original, replacement)
        return script


class Limiters:
    """Rate limiters of several instances over one Redis."""

    def __init__(self, redis: Redis, shards: int) -> None:
        self.redis = redis
        self.shards = shards
        self.prefix = f"t{uuid4().hex[:8]}"
        self.time = ShiftableTime(redis, self.prefix)
        self.runtime = runtime_for(monotonic=self.time.monotonic)

    def make(self, of: Limits) -> RateLimiter:
        redis_caller = RedisCaller(CircuitBreaker("redis", REDIS_FAILURES, self.runtime))
        return RateLimiter(
            self.redis, redis_caller, of, self.runtime, RefusalDelay(0), prefix=self.prefix, shards=self.shards
        )

    async def keys(self) -> list[bytes]:
        return [key async for key in self.redis.scan_iter(f"{self.prefix}:*")]


@pytest.fixture(params=[1, CLUSTER_SHARDS])
async def limiters(redis_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Limiters]:
    """Limiters as on one server, and as in a cluster: shards are hash tags, which one server takes as well."""
    async with Redis.from_url(redis_url, socket_timeout=5) as redis:
        yield Limiters(redis, request.param)


async def passes(limiter: RateLimiter, times: int, who: object = None, costs: dict[Activity, int] = QUERY) -> None:
    for _ in range(times):
        await limiter.charge(who, HOME, costs)


async def refused(limiter: RateLimiter, who: object = None, costs: dict[Activity, int] = QUERY) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        await limiter.charge(who, HOME, costs)
    return caught.value


async def test_what_a_limit_allows_passes_and_the_next_is_refused(limiters: Limiters):
    limiter, alice = limiters.make(limits(query=5)), caller()
    await passes(limiter, 5, alice)
    refusal = await refused(limiter, alice)
    assert refusal.retry_after == 60
    assert "5 per minute" in refusal.message


async def test_a_request_is_allowed_after_the_retry_time_and_refused_a_second_before(limiters: Limiters):
    limiter, alice = limiters.make(limits(query=2)), caller()
    await passes(limiter, 1, alice)
    await limiters.time.advance(20)
    await passes(limiter, 1, alice)
    await limiters.time.advance(15)
    assert (await refused(limiter, alice)).retry_after == 25
    await limiters.time.advance(24)
    assert (await refused(limiter, alice)).retry_after == 1
    await limiters.time.advance(1)
    await passes(limiter, 1, alice)
    assert (await refused(limiter, alice)).retry_after == 20


async def script_calls(redis: Redis) -> int:
    """How often this Redis was asked to run a script, also by a client that had yet to load it."""
    stats = await redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha"))


@pytest.mark.parametrize("who", [caller(), caller("game", Role.SERVER), None])
async def test_one_callers_many_requests_at_once_share_calls_and_are_counted_exactly(
    limiters: Limiters, who: Caller | None
):
    limit = Limit("everybody", "requests", 200, MINUTE)
    limiter = limiters.make(
        replace(limits(), service_wide=limit) if who and who.role is Role.SERVER else limits(query=200, anonymous=200)
    )
    before = await script_calls(limiters.redis)
    outcomes = await asyncio.gather(*(limiter.charge(who, HOME, QUERY) for _ in range(500)), return_exceptions=True)
    assert outcomes.count(None) == 200
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 300
    if limiters.shards == 1:
        batches = math.ceil(500 / MAX_BATCH_SIZE) + MAX_CONCURRENT_BATCHES
        assert await script_calls(limiters.redis) - before <= batches


async def test_no_stretch_of_a_minute_holds_more_than_the_limit(limiters: Limiters):
    limiter, alice = limiters.make(limits(query=4)), caller()
    passed: list[int] = []
    for second in range(0, 300, 7):
        for _ in range(2):
            try:
                await limiter.charge(alice, HOME, QUERY)
                passed.append(second)
            except RateLimited:
                pass
        await limiters.time.advance(7)
    assert max(sum(1 for one in passed if start <= one < start + 60) for start in passed) == 4
    assert len(passed) >= 4 * 5


async def test_fields_count_one_by_one(limiters: Limiters):
    limiter, alice = limiters.make(limits(submit=10)), caller()
    await passes(limiter, 1, alice, {Activity.SUBMIT: 8})
    await refused(limiter, alice, {Activity.SUBMIT: 3})
    await passes(limiter, 1, alice, {Activity.SUBMIT: 2})
    await refused(limiter, alice, SUBMIT)


async def test_a_refused_request_consumes_nothing_in_any_window(limiters: Limiters):
    limiter, alice = limiters.make(limits(submit=1, query=3)), caller()
    await passes(limiter, 1, alice, SUBMIT)
    for _ in range(5):
        await refused(limiter, alice, {Activity.QUERY: 3, Activity.SUBMIT: 1})
    await passes(limiter, 1, alice, {Activity.QUERY: 3})


async def test_the_longest_wait_is_reported(limiters: Limiters):
    limiter, alice = limiters.make(limits(submit=1, query=1)), caller()
    await passes(limiter, 1, alice, SUBMIT)
    await limiters.time.advance(30)
    await passes(limiter, 1, alice, QUERY)
    refusal = await refused(limiter, alice, {Activity.SUBMIT: 1, Activity.QUERY: 1})
    assert refusal.retry_after == 60
    assert "queries" in refusal.message


async def test_more_than_any_wait_would_allow_is_an_error_of_the_caller(limiters: Limiters):
    limiter = limiters.make(limits(submit=10))
    with pytest.raises(BadUserInput):
        await limiter.charge(caller(), HOME, {Activity.SUBMIT: 11})


async def test_users_do_not_share_limits_but_an_address_does(limiters: Limiters):
    limiter = limiters.make(limits(submit=5, submit_address=8))
    await passes(limiter, 5, caller(), SUBMIT)
    await passes(limiter, 3, caller(), SUBMIT)
    assert (await refused(limiter, caller(), SUBMIT)).retry_after == 60
    await limiter.charge(caller(), "192.0.2.2", SUBMIT)


async def test_anonymous_requests_count_by_address(limiters: Limiters):
    limiter = limiters.make(limits(anonymous=3))
    await passes(limiter, 1, None, {Activity.SUBMIT: 1, Activity.QUERY: 1})
    await passes(limiter, 1)
    await refused(limiter)
    await passes(limiter, 1, caller())


async def test_the_service_wide_limit_applies_to_all_clients_and_blocks_no_address(limiters: Limiters):
    limiter = limiters.make(
        limits(service_wide=5, blocking=BlockingRule(max_overruns=1, window_seconds=60, block_seconds=300))
    )
    await passes(limiter, 5, caller())
    for _ in range(5):
        assert (await refused(limiter, caller())).retry_after == 1
    await limiters.time.advance(1)
    await passes(limiter, 5, caller())


async def test_a_server_answers_to_the_common_limit_only(limiters: Limiters):
    limiter = limiters.make(limits(submit=1, submit_address=1, query=1, service_wide=50))
    await passes(limiter, 50, caller(role=Role.SERVER), SUBMIT)
    await refused(limiter, caller(role=Role.SERVER), SUBMIT)


async def test_instances_count_together(limiters: Limiters):
    one, other, alice = limiters.make(limits(query=4)), limiters.make(limits(query=4)), caller()
    await passes(one, 2, alice)
    await passes(other, 2, alice)
    await refused(one, alice)
    await refused(other, alice)


async def test_concurrent_requests_get_exactly_the_remaining_allowance(limiters: Limiters):
    instances, alice = [limiters.make(limits(query=120)) for _ in range(3)], caller()

    async def ask(limiter: RateLimiter) -> bool:
        try:
            await limiter.charge(alice, HOME, QUERY)
        except RateLimited:
            return False
        return True

    outcomes: Sequence[bool] = await asyncio.gather(*(ask(limiter) for limiter in instances * 200))
    assert sum(outcomes) == 120


THREE_OVERRUNS = BlockingRule(max_overruns=3, window_seconds=60, block_seconds=300)


@pytest.mark.parametrize("who", [caller(), None])
async def test_repeated_overruns_block_who_made_them_on_every_instance_for_a_while(
    limiters: Limiters, who: Caller | None
):
    limiter, other = limiters.make(limits(query=1, anonymous=1, blocking=THREE_OVERRUNS)), limiters.make(limits())
    await passes(limiter, 1, who)
    for _ in range(2):
        assert (await refused(limiter, who)).retry_after <= 60
    assert (await refused(limiter, who)).retry_after == 300
    await limiters.time.advance(100)
    assert (await refused(limiter, who)).retry_after == 200
    assert (await refused(other, who)).retry_after == 200
    with pytest.raises(RateLimited):
        await limiter.refuse_if_blocked(who, HOME)
    await limiters.time.advance(200)
    await passes(limiter, 1, who)
    await passes(other, 1, who)


async def test_a_block_of_a_user_is_no_block_of_the_address(limiters: Limiters):
    limiter, mallory = limiters.make(limits(query=1, blocking=THREE_OVERRUNS)), caller()
    await passes(limiter, 1, mallory)
    for _ in range(3):
        await refused(limiter, mallory)
    for neighbour in (caller("bob"), None):
        await limiter.refuse_if_blocked(neighbour, HOME)
        await passes(limiter, 1, neighbour)
    with pytest.raises(RateLimited, match="account"):
        await limiter.charge(mallory, "192.0.2.2", QUERY)


async def test_a_block_of_an_address_spares_its_users(limiters: Limiters):
    limiter = limiters.make(limits(anonymous=1, blocking=THREE_OVERRUNS))
    await passes(limiter, 1)
    for _ in range(3):
        await refused(limiter)
    await passes(limiter, 5, caller())
    await limiter.charge(None, "192.0.2.2", QUERY)


async def test_a_full_address_blocks_none_of_its_users(limiters: Limiters):
    limiter, alice = limiters.make(limits(submit_address=1, blocking=THREE_OVERRUNS)), caller()
    await passes(limiter, 1, caller(), SUBMIT)
    for _ in range(10):
        assert (await refused(limiter, alice, SUBMIT)).retry_after <= 60
    await passes(limiter, 1, alice)


def network(number: int) -> str:
    """A subscriber in one /48 network."""
    return f"2001:db8:7:{number:x}::/64"


async def test_the_subscribers_of_one_network_have_a_common_limit(limiters: Limiters):
    limiter = limiters.make(limits(anonymous=3, submit_address=2, aggregate_factor=4))
    for number in range(4):
        for _ in range(3):
            await limiter.charge(None, network(number), QUERY)
    with pytest.raises(RateLimited, match="12 per minute"):
        await limiter.charge(None, network(5), QUERY)
    await limiter.charge(None, "2001:db8:8:5::/64", QUERY)
    for number in range(8):
        await limiter.charge(caller(), network(number), SUBMIT)
    with pytest.raises(RateLimited):
        await limiter.charge(caller(), network(9), SUBMIT)


async def test_overruns_from_many_subscribers_block_their_network(limiters: Limiters):
    limiter = limiters.make(limits(anonymous=1, aggregate_factor=2, blocking=THREE_OVERRUNS))
    waits = []
    for number in range(2 + 2 * 3):
        try:
            await limiter.charge(None, network(number), QUERY)
        except RateLimited as refusal:
            waits.append(refusal.retry_after)
    assert waits == [60] * 5 + [300]
    with pytest.raises(RateLimited):
        await limiter.refuse_if_blocked(None, network(99))
    await limiter.refuse_if_blocked(None, "2001:db8:8::/64")
    await limiter.refuse_if_blocked(caller(), network(99))


async def test_a_large_weight_is_counted_in_one_call(limiters: Limiters):
    limiter, alice = limiters.make(limits(query=5000)), caller()
    await passes(limiter, 1, alice, {Activity.QUERY: 900})
    await refused(limiters.make(limits(query=1000)), alice, {Activity.QUERY: 101})
    await passes(limiters.make(limits(query=1000)), 1, alice, {Activity.QUERY: 100})


async def test_overruns_expire(limiters: Limiters):
    limiter, alice = limiters.make(limits(query=1, blocking=BlockingRule(2, 60, 300))), caller()
    for _ in range(5):
        await passes(limiter, 1, alice)
        assert (await refused(limiter, alice)).retry_after == 60
        await limiters.time.advance(60)


async def test_a_known_block_costs_no_calls_to_redis(limiters: Limiters):
    limiter = limiters.make(limits(anonymous=1, blocking=BlockingRule(1, 60, 300)))
    await passes(limiter, 1)
    await refused(limiter)
    before = (await limiters.redis.info("stats"))["total_commands_processed"]
    for _ in range(50):
        await refused(limiter)
    after = (await limiters.redis.info("stats"))["total_commands_processed"]
    assert after - before <= 2


async def test_everything_it_keeps_expires(limiters: Limiters):
    limiter = limiters.make(limits(submit=1, blocking=BlockingRule(2, 60, 300)))
    await passes(limiter, 1, caller(), SUBMIT)
    await passes(limiter, 1)
    mallory = caller()
    await passes(limiter, 1, mallory, SUBMIT)
    for _ in range(3):
        await refused(limiter, mallory, SUBMIT)
    keys = await limiters.keys()
    assert len(keys) >= 5
    assert all([await limiters.redis.pttl(key) > 0 for key in keys])


async def test_all_keys_of_a_subject_are_in_one_slot_of_a_cluster(limiters: Limiters):
    alice = caller()
    limiter = limiters.make(limits(issue=1, blocking=BlockingRule(2, 60, 300)))
    await passes(limiter, 1, alice, {Activity.SUBMIT: 1, Activity.QUERY: 1, Activity.ISSUE: 1})
    await refused(limiter, alice, {Activity.ISSUE: 1})
    keys = [key.decode() for key in await limiters.keys() if str(alice.user_id).encode() in key]
    assert len(keys) == 4
    assert len({key.partition("{")[2].partition("}")[0] for key in keys}) == 1


BY_MINUTE = Limit("everybody", "requests", 40_000, MINUTE)
"""A limit of everybody that is divided, with a window that is longer than a test."""


async def test_heavy_requests_can_use_up_the_limit_of_everybody(limiters: Limiters):
    limiter, game = limiters.make(replace(limits(), service_wide=BY_MINUTE)), caller("game", Role.SERVER)
    heavy = {Activity.SUBMIT: 900}
    outcomes = await asyncio.gather(*(limiter.charge(game, HOME, heavy) for _ in range(60)), return_exceptions=True)
    assert 40 <= outcomes.count(None) <= BY_MINUTE.max_hits // 900


async def test_what_one_shard_refuses_the_others_give_back(limiters: Limiters):
    limiter, alice = limiters.make(replace(limits(query=5, query_address=8), service_wide=BY_MINUTE)), caller()
    await passes(limiter, 5, caller())
    await passes(limiter, 3, alice)
    for _ in range(4):
        assert "8 per minute" in (await refused(limiter, alice)).message
    left = await limiter.allowances(alice)
    assert left[Activity.QUERY].remaining == 2
    for _ in range(2):
        await limiter.charge(alice, "192.0.2.2", QUERY)
    for _ in range(4):
        with pytest.raises(RateLimited, match="5 per minute"):
            await limiter.charge(alice, "192.0.2.2", QUERY)
    of_everybody = [key for key in await limiters.keys() if key.endswith(b":everybody:")]
    assert sum([await limiters.redis.llen(key) for key in of_everybody]) == 10


async def test_after_the_clock_was_set_back_no_wait_is_longer_than_the_window(limiters: Limiters):
    limiter, alice = limiters.make(limits(query=1)), caller()
    await passes(limiter, 1, alice)
    await limiters.time.advance(-3600)
    assert (await refused(limiter, alice)).retry_after == 60


async def test_a_caller_can_read_the_remaining_allowances(limiters: Limiters):
    limiter, alice = limiters.make(limits(query=10)), caller()
    await passes(limiter, 1, alice, {Activity.QUERY: 3})
    await limiters.time.advance(50)
    await passes(limiter, 1, alice)
    left = await limiter.allowances(alice)
    assert left[Activity.QUERY].remaining == 6
    assert 59 < left[Activity.QUERY].resets_in <= 60
    assert left[Activity.SUBMIT].remaining == left[Activity.SUBMIT].limit.max_hits
    assert left[Activity.SUBMIT].resets_in == 0
    await limiters.time.advance(10)
    left = await limiter.allowances(alice)
    assert left[Activity.QUERY].remaining == 9


async def test_limits_that_were_lowered_hold_at_once(limiters: Limiters):
    alice = caller()
    await passes(limiters.make(limits(query=10)), 10, alice)
    await refused(limiters.make(limits(query=3)), alice)


async def test_without_limits_everything_passes(limiters: Limiters):
    redis_caller = RedisCaller(CircuitBreaker("redis", REDIS_FAILURES, limiters.runtime))
    limiter = RateLimiter(limiters.redis, redis_caller, None, limiters.runtime, RefusalDelay(0), prefix=limiters.prefix)
    await passes(limiter, 500)
    assert await limiter.allowances(caller()) == {}


def test_the_limit_of_a_name_is_unique():
    of = limits()
    every: list[Limit] = [*of.user.values(), *of.address.values(), of.anonymous, of.service_wide]
    assert len({one.name for one in every}) == len(every)


async def test_the_script_and_the_local_limiter_decide_equally(limiters: Limiters):
    random = Random(7)
    strict = limits(
        submit=2,
        query=5,
        submit_address=4,
        anonymous=3,
        service_wide=9,
        blocking=BlockingRule(6, 60, 90),
        aggregate_factor=1,
    )
    double = Limits(
        {activity: one._replace(max_hits=2 * one.max_hits) for activity, one in strict.user.items()},
        {activity: one._replace(max_hits=2 * one.max_hits) for activity, one in strict.address.items()},
        strict.anonymous._replace(max_hits=2 * strict.anonymous.max_hits),
        strict.service_wide._replace(max_hits=2 * strict.service_wide.max_hits),
        strict.blocking,
        strict.aggregate_factor,
    )
    clock = FrozenClock(limiters.redis, f"{limiters.prefix}:now")
    limiters.runtime = runtime_for(monotonic=clock.monotonic)
    shared, local = limiters.make(strict), LocalLimiter(strict.blocking, limiters.runtime)
    shared._check = replace(shared._check, script=limiters.redis.register_script(clock.patch(SCRIPT.read_text())))
    callers = [caller(), caller(), None]
    refusals = 0
    await clock.advance(1000)
    for _ in range(400):
        who, address = random.choice(callers), random.choice(("192.0.2.1", "192.0.2.2", network(1), network(2)))
        costs = {random.choice(list(Activity)): random.choice((1, 1, 2))}
        decision = local.check(double.hit(who, address, costs))
        if decision.retry_after == 0:
            await shared.charge(who, address, costs)
        else:
            refusals += 1
            with pytest.raises(RateLimited) as refusal:
                await shared.charge(who, address, costs)
            assert refusal.value.retry_after == decision.retry_after
        await clock.advance(random.choice((0, 0, 1, 3, 9)))
    assert 50 < refusals < 350
