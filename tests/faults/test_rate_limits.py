"""Rate limits while Redis is away: stricter, never none, and never slow."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.domain.errors import RateLimited
from app.domain.limits import Activity
from app.services.breaker import Breaker
from app.services.rate_limiter import RateLimiter
from app.services.standings.guard import REDIS_FAILURES, Guard
from tests.support.limits import limits
from tests.support.service import caller
from tests.support.stores import BreakableServer

TIMEOUT = 0.25


class ImpatientBreaker(Breaker):
    """A breaker whose pause a test can end."""

    skipped = 0.0

    def __init__(self) -> None:
        super().__init__("redis", REDIS_FAILURES, lambda: time.monotonic() + self.skipped)

    def skip_pause(self) -> None:
        """Let the next call be the one that tries again."""
        self.skipped += 1.0


@asynccontextmanager
async def limiting(server: BreakableServer, query: int) -> AsyncIterator[tuple[RateLimiter, ImpatientBreaker]]:
    pool = BlockingConnectionPool.from_url(
        server.url,
        timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
    async with Redis.from_pool(pool) as redis:
        breaker = ImpatientBreaker()
        yield RateLimiter(redis, Guard(breaker), limits(query=query), time.monotonic, prefix="t"), breaker


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
        assert (left.limit.most, left.remaining) == (10, 0)


async def test_a_frozen_redis_costs_three_time_limits_and_then_next_to_nothing(redis_server: BreakableServer):
    async with limiting(redis_server, query=10_000) as (limiter, breaker):
        await passing(limiter, caller(), 1)
        redis_server.freeze()
        while not breaker.is_open:
            await passing(limiter, caller(), 1)
        slow = 0
        for _ in range(1000):
            before = time.monotonic()
            await passing(limiter, caller(), 1)
            slow += time.monotonic() - before > TIMEOUT / 2
        assert slow <= 2


async def test_while_one_call_tries_a_frozen_redis_the_others_do_not_wait(redis_server: BreakableServer):
    async with limiting(redis_server, query=10_000) as (limiter, breaker):
        redis_server.freeze()
        while not breaker.is_open:
            await passing(limiter, caller(), 1)
        breaker.skip_pause()
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
        async with asyncio.timeout(10):
            while breaker.is_open:
                await passing(limiter, caller(), 1)
                await asyncio.sleep(0.01)
        assert await passing(limiter, caller(), 25) == 20
