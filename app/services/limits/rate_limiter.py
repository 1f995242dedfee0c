"""Rate limits, counted in Redis for all instances together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import orjson
from redis.asyncio import Redis

from app.domain.errors import RateLimited
from app.domain.rate_limits import ALLOWED, MINUTE, Activity, Allowance, Decision, Hit, Limit, Limits, allowance
from app.domain.users import Caller
from app.runtime import Runtime
from app.services.limits.local_limiter import Blocks, LocalLimiter
from app.stores.batching import Batcher
from app.stores.redis import RedisCaller, RedisUnreachable

SCRIPT = Path(__file__).with_suffix(".lua")
"""The Lua script that decides about hits; its header documents keys, arguments and results."""

MICROSECONDS = 1_000_000
"""Microseconds per second."""

MAX_BATCH_SIZE = 128
"""Hits per call of the script."""

MAX_CACHED_HITS = 20_000
"""Combinations of caller, address and costs whose script arguments are kept."""

MAX_CONCURRENT_BATCHES = 2
"""Calls of the script at a time. More than one, so that a trial call to a hanging Redis delays its own batch only."""

MIN_SECOND_BATCH = 16
"""Queued hits from which on a second call starts while one is running, unless Redis is in trouble."""


class _PreparedHit(NamedTuple):
    """A hit with its script arguments: the same for every request with the same caller, address and costs."""

    hit: Hit
    keys: Sequence[bytes]
    numbers: Sequence[int]


class RateLimiter:
    """Allows requests within the limits: one script call for one request, or for many that arrive together.

    Guarantees: a refused request consumes nothing, and is allowed when it is repeated after `retry_after`, unless
    something else was counted meanwhile. While Redis is not reachable every process counts for itself, with half of
    each limit and the same weights. Known blocks are cached in the process, so that a flood of requests costs no calls
    to Redis.
    """

    def __init__(
        self,
        redis: Redis,
        redis_caller: RedisCaller,
        limits: Limits | None,
        runtime: Runtime,
        *,
        prefix: str,
    ) -> None:
        """Create a rate limiter.

        Args:
            redis: The client.
            redis_caller: Calls Redis behind a circuit breaker.
            limits: The limits; None allows everything.
            runtime: The source of time for blocks, and for counting without Redis.
            prefix: The beginning of all keys; they share a hash tag, so that a call stays within one cluster slot.
        """
        self._redis = redis
        self._redis_caller = redis_caller
        self._limits = limits
        self._prefix = f"{prefix}:{{limits}}:"
        self._script = redis.register_script(SCRIPT.read_text())
        self._queue: Batcher[_PreparedHit, Decision] = Batcher(
            # The script decides about one hit after the other, so hits of the same caller may share a call.
            self._check,
            max_batch_size=MAX_BATCH_SIZE,
            max_concurrent=MAX_CONCURRENT_BATCHES,
            key=None,
            name="rate limits",
            min_second_batch=lambda: 1 if redis_caller.breaker.is_open else MIN_SECOND_BATCH,
        )
        self._prepared = lru_cache(maxsize=MAX_CACHED_HITS)(self._prepare)
        self._blocks = Blocks(runtime)
        if limits is not None:
            self._local = LocalLimiter(limits.blocking, runtime)

    def is_blocked(self, caller: Caller | None, address: str) -> bool:
        """Return whether a user, or the address of a caller without a user, is known to be blocked."""
        return self._block_of(caller, address) is not None

    def raise_if_blocked(self, caller: Caller | None, address: str) -> None:
        """Raise RateLimited for a user, or the address of a caller without a user, that is known to be blocked."""
        decision = self._block_of(caller, address)
        if decision is not None:
            raise _error(decision)

    def _block_of(self, caller: Caller | None, address: str) -> Decision | None:
        if not self._blocks or self._limits is None:
            return None
        for subject, _ in self._limits.blockables(caller, address):
            remaining = self._blocks.remaining_seconds(subject)
            if remaining:
                return Decision(remaining, blocked=subject)
        return None

    async def charge(self, caller: Caller | None, address: str, costs: Mapping[Activity, int]) -> None:
        """Count a request.

        Args:
            caller: The caller; None for an anonymous request.
            address: The client's address.
            costs: The weight of the request per activity.

        Raises:
            RateLimited: The request exceeds a limit, or the user, or the address of a caller without one, is blocked.
            BadUserInput: The request alone exceeds a limit, so it could never be allowed.
        """
        if self._limits is None:
            return
        self.raise_if_blocked(caller, address)
        await self._charge(self._prepared(caller, address, tuple(costs.items())))

    async def charge_connection(self, address: str) -> None:
        """Count a WebSocket handshake. Raises RateLimited if there are too many from its address."""
        if self._limits is not None:
            await self._charge(self._with_arguments(self._limits.connection_hit(address)))

    async def _charge(self, prepared: _PreparedHit) -> None:
        decision = await self._queue.enqueue(prepared)
        if decision is ALLOWED:
            return
        if decision.blocked is not None:
            self._blocks.add(decision.blocked, decision.retry_after)
        raise _error(decision)

    async def allowances(self, caller: Caller) -> Mapping[Activity, Allowance]:
        """Return what remains of the limits of `caller`; nothing if there are no limits."""
        if self._limits is None:
            return {}
        limits, user = self._limits.user, str(caller.user_id)
        pipe = self._redis.pipeline(transaction=False)
        pipe.time()
        for limit in limits.values():
            pipe.lrange(self._window_key(limit, user), 0, -1)
        try:
            (seconds, microseconds), *logs = await self._redis_caller(pipe.execute)
        except RedisUnreachable:
            return {activity: self._local.allowance(limit, user) for activity, limit in limits.items()}
        now = seconds + microseconds / MICROSECONDS
        return {
            activity: allowance(limit, [int(instant) / MICROSECONDS for instant in log], now)
            for (activity, limit), log in zip(limits.items(), logs, strict=True)
        }

    def _prepare(self, caller: Caller | None, address: str, costs: Sequence[tuple[Activity, int]]) -> _PreparedHit:
        assert self._limits is not None
        return self._with_arguments(self._limits.hit(caller, address, dict(costs)))

    def _with_arguments(self, hit: Hit) -> _PreparedHit:
        keys: list[str] = []
        numbers = [len(hit.blockables)]
        for subject, max_overruns in hit.blockables:
            keys += (f"{self._prefix}block:{subject}", f"{self._prefix}overruns:{subject}")
            numbers.append(max_overruns)
        numbers.append(len(hit.charges))
        for limit, subject, cost, blockable in hit.charges:
            keys.append(self._window_key(limit, subject))
            own = 0 if blockable is None else blockable + 1
            numbers += (limit.max_hits, limit.seconds * MICROSECONDS, cost, own)
        return _PreparedHit(hit, [key.encode() for key in keys], numbers)

    async def _check(self, hits: Sequence[_PreparedHit]) -> Sequence[Decision]:
        assert self._limits is not None
        blocking = self._limits.blocking
        keys: list[bytes] = []
        numbers = [blocking.window_seconds * MICROSECONDS, blocking.block_seconds * 1000]
        for prepared in hits:
            keys += prepared.keys
            numbers += prepared.numbers
        try:
            raw: list[int] = await self._redis_caller(
                lambda: self._script(keys=keys, args=[orjson.dumps(numbers)]), writes=True
            )
        except RedisUnreachable:
            return [self._local.check(prepared.hit) for prepared in hits]
        return [
            ALLOWED if wait == 0 else _refused(prepared.hit, wait, which)
            for prepared, wait, which in zip(hits, raw[::2], raw[1::2], strict=True)
        ]

    def _window_key(self, limit: Limit, subject: str) -> str:
        return f"{self._prefix}{limit.name}:{subject}"


def _refused(hit: Hit, wait: int, which: int) -> Decision:
    retry_after = wait / MICROSECONDS
    if which < 0:
        return Decision(retry_after, blocked=hit.blockables[-which - 1].subject)
    return Decision(retry_after, hit.charges[which - 1].limit)


def _error(decision: Decision) -> RateLimited:
    retry_after = math.ceil(decision.retry_after)
    limit = decision.limit
    if limit is None:
        whose = "account" if (decision.blocked or "").startswith("user:") else "address"
        return RateLimited(retry_after, f"Too many requests over the limits came from your {whose}.")
    per = "minute" if limit.seconds == MINUTE else f"{limit.seconds} s"
    return RateLimited(retry_after, f"Too many {limit.noun}: {limit.max_hits} per {per} are allowed.")
