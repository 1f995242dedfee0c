"""Rate limits while Redis or a node of a cluster is away: stricter, never none, and never slow."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import pytest
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.domain.errors import RateLimited
from app.domain.rate_limits import MINUTE, Activity, Limit
from app.services.limits.rate_limiter import RateLimiter
from app.services.limits.refusal_delay import RefusalDelay
from app.services.limits.shards import CLUSTER_SHARDS
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.redis_caller import REDIS_FAILURES, RedisCaller
from app.stores.redis_clients import open_cluster
from tests.support.limits import limits
from tests.support.processes.redis_cluster import redis_cluster
from tests.support.runtime import runtime_for
from tests.support.service import caller
from tests.support.stores import BreakableServer
from tests.support.wait_until import TIMEOUT

HOME = "192.0.2.1"
MOVED = "{limits:0}"
REDIS_TIMEOUT = 2.0  # Seconds; a busy machine answers in time, and a frozen Redis never does.


class ManualBreaker(CircuitBreaker):
    """A circuit breaker that counts the calls it allows, and whose retry interval ends when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.tries = 0
        super().__init__("redis", REDIS_FAILURES, runtime_for(monotonic=lambda: self.now))

    def end_retry_interval(self) -> None:
        """Make the next call the trial call."""
        self.now += 1.0

    @contextmanager
    def call(self) -> Iterator[None]:
        with super().call():
            self.tries += 1
            yield


@asynccontextmanager
async def limiting(server: BreakableServer, query: int) -> AsyncIterator[tuple[RateLimiter, ManualBreaker]]:
    pool = BlockingConnectionPool.from_url(
        server.url,
        timeout=REDIS_TIMEOUT,
        socket_timeout=REDIS_TIMEOUT,
        socket_connect_timeout=REDIS_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
    async with Redis.from_pool(pool) as redis:
        breaker = ManualBreaker()
        yield (
            RateLimiter(redis, RedisCaller(breaker), limits(query=query), runtime_for(), RefusalDelay(0), prefix="t"),
            breaker,
        )


async def passing(limiter: RateLimiter, who: object, tries: int) -> int:
    """How many of `tries` queries pass."""
    passed = 0
    waits: set[int] = set()
    for _ in range(tries):
        try:
            await limiter.charge(who, HOME, {Activity.QUERY: 1})
            passed += 1
        except RateLimited as refusal:
            waits.add(refusal.retry_after)
    assert waits <= set(range(1, 61))
    return passed


@pytest.mark.parametrize("outage", [BreakableServer.kill, BreakableServer.freeze])
async def test_without_redis_half_of_the_limit_holds(
    redis_server: BreakableServer, outage: Callable[[BreakableServer], None]
):
    async with limiting(redis_server, query=20) as (limiter, _):
        assert await passing(limiter, caller(), 25) == 20
        outage(redis_server)
        alice = caller()
        assert await passing(limiter, alice, 25) == 10
        left = (await limiter.allowances(alice))[Activity.QUERY]
        assert (left.limit.max_hits, left.remaining) == (10, 0)


async def test_a_frozen_redis_is_called_three_times_and_then_once_per_retry_interval(redis_server: BreakableServer):
    async with limiting(redis_server, query=10_000) as (limiter, breaker):
        await passing(limiter, caller(), 1)
        redis_server.freeze()
        breaker.tries = 0
        await passing(limiter, caller(), 1000)
        assert breaker.tries == 3
        breaker.end_retry_interval()
        await passing(limiter, caller(), 1000)
        assert breaker.tries == 4


async def test_during_a_trial_call_to_a_frozen_redis_other_requests_do_not_wait(redis_server: BreakableServer):
    async with limiting(redis_server, query=10_000) as (limiter, breaker):
        redis_server.freeze()
        while not breaker.is_open:
            await passing(limiter, caller(), 1)
        breaker.end_retry_interval()
        trial = asyncio.create_task(passing(limiter, caller(), 1))
        await asyncio.sleep(0)
        await asyncio.gather(*(passing(limiter, caller(), 1) for _ in range(200)))
        assert not trial.done()
        await trial


async def test_it_counts_in_redis_again_when_that_is_back(redis_server: BreakableServer):
    async with limiting(redis_server, query=20) as (limiter, breaker):
        redis_server.kill()
        while not breaker.is_open:
            await passing(limiter, caller(), 1)
        await redis_server.start()
        async with asyncio.timeout(TIMEOUT):
            while breaker.is_open:
                breaker.end_retry_interval()
                await passing(limiter, caller(), 1)
                await asyncio.sleep(0.01)
        assert await passing(limiter, caller(), 25) == 20


async def test_a_cluster_has_limits_on_every_master_and_they_hold_while_slots_move_and_a_master_is_gone():
    async with redis_cluster(replicas=0) as cluster, open_cluster(cluster.url, timeout=REDIS_TIMEOUT) as redis:
        runtime = runtime_for()
        redis_caller = RedisCaller(CircuitBreaker("redis", REDIS_FAILURES, runtime))
        by_minute = replace(limits(query=20), service_wide=Limit("everybody", "requests", 100_000, MINUTE))
        limiter = RateLimiter(
            redis, redis_caller, by_minute, runtime, RefusalDelay(0), prefix="t", shards=CLUSTER_SHARDS
        )

        async def passed_by_others() -> list[int]:
            return await asyncio.gather(*(passing(limiter, caller(), 25) for _ in range(9)))

        assert await passed_by_others() == [20] * 9
        counted = 0
        for node in cluster.nodes:
            windows = await node.call("KEYS", "t:{limits:*}:everybody:")
            assert windows
            counted += sum([await node.call("LLEN", window) for window in windows])
        assert counted == 9 * 20

        victim, heir = [node for node in cluster.nodes if node is not await cluster.master_of(MOVED)]
        await cluster.move_slot(MOVED, heir)
        assert await passed_by_others() == [20] * 9

        for node in cluster.nodes:
            await node.call("CONFIG", "SET", "cluster-require-full-coverage", "no")
        victim.kill()
        assert all(10 <= passed <= 20 for passed in await passed_by_others())
        assert not redis_caller.breaker.is_open
