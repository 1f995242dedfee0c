"""The rate limiter of one process."""

from uuid import uuid4

from app.domain.rate_limits import Activity, BlockingRule, Decision, Hit, Limits, user_subject
from app.services.limits.local_limiter import Blocks, LocalLimiter
from tests.support.limits import limits
from tests.support.runtime import runtime_for
from tests.support.service import caller

HOME = "192.0.2.1"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def limiter(of: Limits, clock: Clock, capacity: int = 1000) -> LocalLimiter:
    return LocalLimiter(of.blocking, runtime_for(monotonic=clock), capacity=capacity)


def query(of: Limits, address: str = HOME) -> Hit:
    return of.hit(None, address, {Activity.QUERY: 1})


def test_it_lets_half_of_the_limit_through():
    of, clock = limits(anonymous=10), Clock()
    local = limiter(of, clock)
    decisions = [local.check(query(of)) for _ in range(6)]
    assert [decision.retry_after for decision in decisions] == [0, 0, 0, 0, 0, 60]
    clock.now += 60
    assert local.check(query(of)).retry_after == 0


def test_a_refused_hit_consumes_nothing():
    of, clock, alice = limits(submit=2, query=4), Clock(), caller()
    local = limiter(of, clock)
    assert local.check(of.hit(alice, HOME, {Activity.SUBMIT: 1})).retry_after == 0
    for _ in range(3):
        assert local.check(of.hit(alice, HOME, {Activity.SUBMIT: 1, Activity.QUERY: 2})).retry_after == 60
    assert local.check(of.hit(alice, HOME, {Activity.QUERY: 2})).retry_after == 0


def test_weights_are_those_of_the_shared_limiter():
    of, clock = limits(anonymous=10), Clock()
    local = limiter(of, clock)
    assert local.check(of.hit(None, HOME, {Activity.QUERY: 3})).retry_after == 0
    assert local.check(of.hit(None, HOME, {Activity.QUERY: 3})).retry_after == 60
    assert local.check(of.hit(None, HOME, {Activity.QUERY: 2})).retry_after == 0


def test_repeated_overruns_block_the_address_for_callers_without_a_token():
    of, clock = limits(anonymous=2, blocking=BlockingRule(3, 60, 300)), Clock()
    local = limiter(of, clock)
    waits = [local.check(query(of)).retry_after for _ in range(4)]
    assert waits == [0, 60, 60, 300]
    clock.now += 100
    assert local.check(query(of)) == Decision(200, blocked=HOME)
    assert local.check(of.hit(caller(), HOME, {Activity.QUERY: 1})).retry_after == 0
    assert local.check(query(of, "192.0.2.2")).retry_after == 0
    clock.now += 200
    assert local.check(query(of)).retry_after == 0


def test_exceeding_the_service_wide_limit_blocks_no_address():
    of, clock = limits(service_wide=2, blocking=BlockingRule(1, 60, 300)), Clock()
    local = limiter(of, clock)
    assert [local.check(query(of)).retry_after for _ in range(5)] == [0, 1, 1, 1, 1]


def test_the_allowance_is_that_of_half_of_the_limit():
    of, clock, alice = limits(query=10), Clock(), caller()
    local = limiter(of, clock)
    local.check(of.hit(alice, HOME, {Activity.QUERY: 2}))
    left = local.allowance(of.user[Activity.QUERY], user_subject(alice))
    assert (left.limit.max_hits, left.remaining, left.resets_in) == (5, 3, 60)


def test_the_number_of_windows_is_bounded_and_those_used_least_recently_are_evicted():
    of, clock = limits(anonymous=2), Clock()
    local = limiter(of, clock, capacity=50)
    local.check(query(of))
    for _ in range(200):
        local.check(query(of, str(uuid4())))
    assert len(local._windows) == 50
    assert local.check(query(of)).retry_after == 0


def test_blocks_end_and_are_bounded():
    clock = Clock()
    blocks = Blocks(runtime_for(monotonic=clock), 3)
    for n in range(5):
        blocks.add(str(n), 10)
    assert [blocks.remaining_seconds(str(n)) for n in range(5)] == [0, 0, 10, 10, 10]
    clock.now += 10
    assert blocks.remaining_seconds("4") == 0
