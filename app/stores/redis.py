"""Calls to Redis, behind a circuit breaker and with a single exception for every kind of failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from app.stores.circuit_breaker import CircuitBreaker, CircuitOpen

REDIS_FAILURES: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
"""The exceptions of a call when Redis is not reachable, too slow or failing."""


class RedisUnreachable(Exception):
    """Redis did not answer, or answered with an error."""


class RedisCaller:
    """Calls Redis through a circuit breaker. Timeouts are those of the client."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self.breaker = breaker

    async def __call__(self, call: Callable[[], Any]) -> Any:
        """Await `call()` and return its result.

        Raises:
            RedisUnreachable: The call failed, or the circuit is open.
        """
        try:
            with self.breaker.call():
                return await call()
        except CircuitOpen as error:
            raise RedisUnreachable(str(error)) from None
        except REDIS_FAILURES as error:
            raise RedisUnreachable(str(error)) from error
