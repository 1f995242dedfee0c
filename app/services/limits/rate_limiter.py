"""Rate limits, counted in Redis for all instances together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import orjson
from redis.asyncio import Redis

from app.domain.errors import RateLimited
from app.domain.rate_limits import ALLOWED, Activity, Allowance, Decision, Hit, Limit, Limits, allowance
from app.domain.users import Caller
from app.services.limits.local_limiter import Blocks, LocalLimiter
from app.stores.batching import Batcher
from app.stores.redis import RedisCaller, RedisUnreachable

SCRIPT = Path(__file__).with_suffix(".lua")
MICROSECONDS = 1_000_000
BATCH = 128
REMEMBERED = 20_000
MAX_CONCURRENT = 2
"""Batches at once. More than one, so that a trial call to a frozen Redis holds up its own batch alone."""
MIN_SECOND_BATCH = 16
"""How many must wait before a batch is begun beside another one, unless Redis is in trouble."""


class _Counting(NamedTuple):
    """A hit, and how it is put to the script: the same for every request of its kind by its caller."""

    hit: Hit
    keys: Sequence[bytes]
    numbers: Sequence[int]


class RateLimiter:
    """Lets requests pass within the limits, by one call of a script for each, or for many that come together.

    Guarantees: a refused request consumes nothing, and passes when it is repeated after `retry_after` unless
    something else was counted meanwhile. While Redis is away every process counts for itself, by half the limits.
    A block that was heard of once is remembered here, so that a flood costs neither Redis nor much else.
    """

    def __init__(
        self,
        redis: Redis,
        redis_caller: RedisCaller,
        limits: Limits | None,
        monotonic: Callable[[], float],
        *,
        prefix: str,
    ) -> None:
        """`limits`: None lets everything pass. Keys begin with `prefix`, and share a hash tag: one call, one slot."""
        self._redis = redis
        self._redis_caller = redis_caller
        self._limits = limits
        self._prefix = f"{prefix}:{{limits}}:"
        self._script = redis.register_script(SCRIPT.read_text())
        self._queue: Batcher[_Counting, Decision] = Batcher(
            # The script judges one hit after the other, so hits of the same caller may share a call.
            self._judge,
            size=BATCH,
            max_concurrent=MAX_CONCURRENT,
            key=None,
            min_second_batch=lambda: 1 if redis_caller.breaker.is_open else MIN_SECOND_BATCH,
        )
        self._counting = lru_cache(maxsize=REMEMBERED)(self._make_counting)
        self._blocks = Blocks(monotonic, 50_000)
        if limits is not None:
            self._local = LocalLimiter(limits.blocking, monotonic)

    def is_blocked(self, address: str) -> bool:
        """Whether an address is known to be blocked."""
        return bool(self._blocks.left(address))

    def raise_if_blocked(self, address: str) -> None:
        """Raise RateLimited at once for an address that is known to be blocked."""
        left = self._blocks.left(address)
        if left:
            raise _refusal(Decision(left))

    async def charge(self, caller: Caller | None, address: str, costs: Mapping[Activity, int]) -> None:
        """Count a request of `caller`, None for an anonymous one, from `address`; `costs` are fields per activity.

        Raises RateLimited, or BadUserInput for a request too large to pass ever.
        """
        if self._limits is None:
            return
        self.raise_if_blocked(address)
        verdict = await self._queue.enqueue(self._counting(caller, address, tuple(costs.items())))
        if verdict is ALLOWED:
            return
        if verdict.limit is None:
            self._blocks.add(address, verdict.wait)
        raise _refusal(verdict)

    async def allowances(self, caller: Caller) -> Mapping[Activity, Allowance]:
        """What is left of the limits of `caller`; nothing where there are none."""
        if self._limits is None:
            return {}
        limits, user = self._limits.user, str(caller.user_id)
        pipe = self._redis.pipeline(transaction=False)
        pipe.time()
        for limit in limits.values():
            pipe.lrange(self._window(limit, user), 0, -1)
        try:
            (seconds, microseconds), *logs = await self._redis_caller(pipe.execute)
        except RedisUnreachable:
            return {activity: self._local.allowance(limit, user) for activity, limit in limits.items()}
        now = seconds + microseconds / MICROSECONDS
        return {
            activity: allowance(limit, [int(instant) / MICROSECONDS for instant in log], now)
            for (activity, limit), log in zip(limits.items(), logs, strict=True)
        }

    def _make_counting(self, caller: Caller | None, address: str, costs: Sequence[tuple[Activity, int]]) -> _Counting:
        assert self._limits is not None
        hit = self._limits.hit(caller, address, dict(costs))
        keys = [f"{self._prefix}block:{address}", f"{self._prefix}overruns:{address}"]
        numbers = [len(hit.charges)]
        for limit, subject, cost in hit.charges:
            keys.append(self._window(limit, subject))
            numbers += (limit.most, limit.seconds * MICROSECONDS, cost)
        return _Counting(hit, [key.encode() for key in keys], numbers)

    async def _judge(self, countings: Sequence[_Counting]) -> Sequence[Decision]:
        assert self._limits is not None
        blocking = self._limits.blocking
        keys: list[bytes] = []
        numbers = [blocking.overruns, blocking.within * MICROSECONDS, blocking.seconds * 1000]
        for counting in countings:
            keys += counting.keys
            numbers += counting.numbers
        try:
            raw: list[int] = await self._redis_caller(lambda: self._script(keys=keys, args=[orjson.dumps(numbers)]))
        except RedisUnreachable:
            return [self._local.judge(counting.hit) for counting in countings]
        return [
            ALLOWED if wait == 0 else _refused(counting.hit, wait, which)
            for counting, wait, which in zip(countings, raw[::2], raw[1::2], strict=True)
        ]

    def _window(self, limit: Limit, subject: str) -> str:
        return f"{self._prefix}{limit.name}:{subject}"


def _refused(hit: Hit, wait: int, which: int) -> Decision:
    return Decision(wait / MICROSECONDS, hit.charges[which - 1].limit if which else None)


def _refusal(verdict: Decision) -> RateLimited:
    retry_after = math.ceil(verdict.wait)
    if verdict.limit is None:
        return RateLimited(retry_after, "Too many requests over the limits came from your address.")
    per = "minute" if verdict.limit.seconds == 60 else f"{verdict.limit.seconds} s"
    return RateLimited(retry_after, f"Too many {verdict.limit.what}: {verdict.limit.most} per {per} are allowed.")
