"""Expensive calls to Redis: a slow answer to one of them is not a Redis that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from app.stores.bulk_redis import BulkRedisCaller, RedisBusy
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.redis_caller import REDIS_FAILURES, RedisCaller, RedisUnreachable
from app.stores.redis_clients import open_redis
from tests.support.runtime import runtime_for
from tests.support.stores import BreakableServer
from tests.support.wait_until import until_answer


@dataclass(frozen=True)
class Callers:
    """The two ways to call one Redis."""

    redis: Redis
    plain: RedisCaller
    bulk_redis: Redis
    bulk: BulkRedisCaller

    async def slow(self) -> None:
        """A call that Redis does not answer in time, although it answers all others."""
        await self.bulk(lambda: self.bulk_redis.blpop("nothing", 60))


@asynccontextmanager
async def callers(url: str, *, max_concurrent: int = 2) -> AsyncIterator[Callers]:
    runtime = runtime_for()
    plain = RedisCaller(CircuitBreaker("redis", REDIS_FAILURES, runtime))
    async with open_redis(url, timeout=2.0) as redis, open_redis(url, timeout=0.1) as bulk_redis:
        breaker = CircuitBreaker("bulk", REDIS_FAILURES, runtime)
        bulk = BulkRedisCaller(breaker, plain, redis.ping, max_concurrent=max_concurrent)
        yield Callers(redis, plain, bulk_redis, bulk)


async def test_slow_expensive_calls_do_not_open_the_circuit_of_the_others(redis_url: str) -> None:
    async with callers(redis_url) as one:
        for _ in range(10):
            with pytest.raises(RedisBusy):
                await one.slow()
        assert one.bulk.breaker.trips == 1
        assert not one.plain.breaker.is_open
        assert one.plain.breaker.trips == 0
        assert await one.plain(one.redis.ping)


async def test_calls_to_a_redis_that_is_away_say_so_and_use_it_again_when_it_is_back(
    redis_server: BreakableServer,
) -> None:
    async with callers(redis_server.url) as one:
        assert await one.bulk(one.bulk_redis.ping)
        redis_server.kill()
        for _ in range(5):
            with pytest.raises(RedisUnreachable):
                await one.bulk(one.bulk_redis.ping)
        assert one.plain.breaker.is_open
        await redis_server.start()

        async def answers() -> bool:
            try:
                return bool(await one.bulk(one.bulk_redis.ping))
            except (RedisUnreachable, RedisBusy):
                return False

        await until_answer(answers, bool)
        assert not one.plain.breaker.is_open


async def test_only_a_few_expensive_calls_run_at_a_time(redis_url: str) -> None:
    running: list[int] = []
    most = 0

    async def call() -> None:
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        await asyncio.sleep(0)
        running.pop()

    async with callers(redis_url, max_concurrent=2) as one:
        await asyncio.gather(*(one.bulk(call) for _ in range(20)))
    assert most == 2
