"""Calls to Redis, behind a circuit breaker and with a single exception for every kind of failure."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from types import TracebackType
from typing import Any

import structlog
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisClusterException, RedisError, ResponseError

from app.runtime import is_closed_transport
from app.stores.circuit_breaker import CircuitBreaker, CircuitOpen
from app.telemetry.metrics.histogram import Histogram
from app.telemetry.tracing import span

log = structlog.get_logger(__name__)

REDIS_FAILURES: tuple[type[Exception], ...] = (RedisError, RedisClusterException, OSError, TimeoutError)
"""The exceptions of a call when Redis is not reachable, too slow or failing."""

REFUSALS_OF_WRITES = ("MISCONF", "NOREPLICAS", "READONLY", "OOM")
"""The error codes of a server that answers reads and refuses writes."""

LOG_INTERVAL = 60.0
"""Seconds after which a cause of failures is logged again."""


_SPAN_ATTRIBUTES = {"db.system.name": "redis"}


class RedisUnreachable(Exception):
    """Redis did not answer, or answered with an error."""


class RedisClientFailed(RedisError):
    """The client failed in a way that it does not document, such as when a connection closes under a sender."""


class RedisCaller:
    """Calls Redis through a circuit breaker. Timeouts are those of the client.

    Attributes:
        breaker: The circuit breaker.
        failures: How many calls failed, by kind: `unreachable`, `writes_refused` and `client`.
        seconds: How long the calls took, with any outcome.
        refuses_writes: Whether the server has refused a write and has accepted none since.
    """

    def __init__(self, breaker: CircuitBreaker, *, reads_while_read_only: bool = True) -> None:
        """Create a caller.

        Args:
            breaker: The circuit breaker.
            reads_while_read_only: Whether to read from a server that refuses writes. Housekeeping does; what users see
                may be out of date there.
        """
        self.breaker = breaker
        self._reads_while_read_only = reads_while_read_only
        self.failures: Counter[str] = Counter()
        self.seconds = Histogram()
        self.refuses_writes = False
        self._logged: dict[str, float] = {}

    async def __call__(self, call: Callable[[], Any], *, writes: bool = False) -> Any:
        """Await `call()` and return its result.

        Args:
            call: Calls the client.
            writes: Whether the call writes. Such calls are made also while Redis refuses writes, to find out when it
                accepts them again.

        Raises:
            RedisUnreachable: The call failed, the circuit is open, or Redis refuses writes.
            Exception: What our own code in `call` raises.
        """
        if self.refuses_writes and not writes and not self._reads_while_read_only:
            raise RedisUnreachable("Redis refuses writes, so its copies may be out of date")
        try:
            with self.breaker.call(), span(f"redis {_function(call)}", _SPAN_ATTRIBUTES, is_call=True):
                started = perf_counter()
                try:
                    result = await _translate(call)
                finally:
                    self.seconds.observe(perf_counter() - started)
        except CircuitOpen as error:
            raise RedisUnreachable(str(error)) from None
        except REDIS_FAILURES as error:
            self._record(error)
            raise RedisUnreachable(str(error)) from error
        if writes and self.refuses_writes:
            self.refuses_writes = False
            log.info("redis_accepts_writes")
        return result

    def _record(self, error: Exception) -> None:
        refused = _is_refusal(error)
        kind = "writes_refused" if refused else "client" if isinstance(error, RedisClientFailed) else "unreachable"
        self.failures[kind] += 1
        self.refuses_writes = self.refuses_writes or refused
        cause = f"{type(error).__name__}: {str(error)[:80]}"
        now = asyncio.get_running_loop().time()
        if now - self._logged.get(cause, -LOG_INTERVAL) >= LOG_INTERVAL:
            self._logged = {one: at for one, at in self._logged.items() if now - at < LOG_INTERVAL} | {cause: now}
            log.warning("redis_call_failed", kind=kind, cause=cause, exc_info=kind == "client" and error)


async def _translate(call: Callable[[], Any]) -> Any:
    """Await `call()`; raise RedisClientFailed for what the client raises beside its documented exceptions."""
    try:
        return await call()
    except REDIS_FAILURES:
        raise
    except Exception as error:
        if is_closed_transport(error):
            raise ConnectionError(str(error)) from error
        if _is_ours(error.__traceback__):
            raise
        raise RedisClientFailed(repr(error)) from error


def _is_ours(traceback: TracebackType | None) -> bool:
    """Whether the innermost frame is of this project, so that the error is a mistake here and not of the client."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and str(traceback.tb_frame.f_globals.get("__name__", "")).startswith("app.")


def _function(call: Callable[[], Any]) -> str:
    """Return the name of the function that makes a call, for the name of its span."""
    return getattr(call, "__qualname__", "call").partition(".<locals>")[0]


def _is_refusal(error: Exception) -> bool:
    if isinstance(error, ReadOnlyError | OutOfMemoryError):
        return True
    return isinstance(error, ResponseError) and str(error).startswith(REFUSALS_OF_WRITES)
