"""One way to call Redis: behind a breaker, with one exception for everything that can go wrong on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from app.stores.circuit_breaker import CircuitBreaker, CircuitOpen

REDIS_FAILURES: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
"""What a call raises when Redis is away, slow or broken."""


class RedisUnreachable(Exception):
    """Redis did not answer."""


class RedisCaller:
    """Calls Redis through a breaker. Time limits are those of the client."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self.breaker = breaker

    async def __call__(self, call: Callable[[], Any]) -> Any:
        """What awaiting `call()` gives. Raises Unreachable."""
        try:
            with self.breaker.call():
                return await call()
        except CircuitOpen as error:
            raise RedisUnreachable(str(error)) from None
        except REDIS_FAILURES as error:
            raise RedisUnreachable(str(error)) from error
