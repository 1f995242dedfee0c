"""Calls to Redis that take long because they ask for much, kept apart from all others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from app.stores.circuit_breaker import CircuitBreaker
from app.stores.redis_caller import RedisCaller, RedisUnreachable


class RedisBusy(Exception):
    """Redis is reachable, and did not answer an expensive call in time."""


class BulkRedisCaller(RedisCaller):
    """Calls Redis for expensive reads, a few at a time, on connections of their own.

    A slow answer to an expensive question does not mean that Redis is unavailable, so it is not counted by the circuit
    breaker that everybody else depends on. A call that fails is judged by a PING on the other connections.
    """

    def __init__(
        self, breaker: CircuitBreaker, redis_caller: RedisCaller, ping: Callable[[], Any], *, max_concurrent: int
    ) -> None:
        """Create a caller.

        Args:
            breaker: Counts the failures of expensive calls only.
            redis_caller: Makes all other calls; its circuit breaker says whether Redis is unavailable.
            ping: Sends a PING on the connections of `redis_caller`.
            max_concurrent: How many calls run at a time. Others wait, and that wait is not part of any timeout here.
        """
        super().__init__(breaker)
        self._redis_caller = redis_caller
        self._ping = ping
        self._slots = asyncio.Semaphore(max_concurrent)

    async def __call__(self, call: Callable[[], Any], *, writes: bool = False) -> Any:
        """Await `call()` and return its result.

        Raises:
            RedisUnreachable: Redis is unavailable.
            RedisBusy: Redis is available, but the call failed or took too long.
        """
        async with self._slots:
            if self._redis_caller.breaker.is_open:
                await self._redis_caller(self._ping)
            try:
                return await super().__call__(call, writes=writes)
            except RedisUnreachable as failure:
                await self._redis_caller(self._ping)
                raise RedisBusy(str(failure)) from failure
