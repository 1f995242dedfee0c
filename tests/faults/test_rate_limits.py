"""Rate limits while Redis is away: stricter, never none, and never slow."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.domain.errors import RateLimited
from app.domain.rate_limits import Activity
from app.services.limits.rate_limiter import RateLimiter
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.redis import REDIS_FAILURES, RedisCaller
from tests.support.limits import limits
from tests.support.runtime import runtime_for
from tests.support.service import caller
from tests.support.stores import BreakableServer
from tests.support.wait_until import TIMEOUT

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
        yield RateLimiter(redis, RedisCaller(breaker), limits(query=query), runtime_for(), prefix="t"), breaker


async def passing(limiter: RateLimiter, who: object, tries: int) -> int:
    """How many of `tries` queries pass."""
    passed = 0
    waits: set[int] = set()
    for _ in range(tries):
        try:
            await limiter.charge(who, "192.0.2.1", {Activity.QUERY: 1})
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
