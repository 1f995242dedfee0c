"""Rate limits for tests, and time that a test advances."""

from __future__ import annotations

import time

from redis.asyncio import Redis

from app.domain.rate_limits import MINUTE, Activity, Blocking, Limit, Limits

NO_BLOCKING = Blocking(overruns=100_000, within=MINUTE, seconds=300)


def limits(
    *,
    issue: int = 1000,
    submit: int = 1000,
    query: int = 1000,
    issue_address: int = 1000,
    submit_address: int = 1000,
    anonymous: int = 1000,
    everybody: int = 100_000,
    blocking: Blocking = NO_BLOCKING,
) -> Limits:
    """Return limits that no test reaches, except those that are given."""
    return Limits(
        user={
            Activity.ISSUE: Limit("user-issue", "action tokens", issue, MINUTE),
            Activity.SUBMIT: Limit("user-submit", "submissions", submit, MINUTE),
            Activity.QUERY: Limit("user-query", "queries", query, MINUTE),
        },
        address={
            Activity.ISSUE: Limit("address-issue", "action tokens", issue_address, MINUTE),
            Activity.SUBMIT: Limit("address-submit", "submissions", submit_address, MINUTE),
        },
        anonymous=Limit("anonymous", "anonymous requests", anonymous, MINUTE),
        everybody=Limit("everybody", "requests", everybody, 1),
        blocking=blocking,
    )


class ShiftableTime:
    """A monotonic clock that can be advanced together with the ages of a rate limiter's entries in Redis."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._offset = 0.0

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return time.monotonic() + self._offset

    async def advance(self, seconds: float) -> None:
        """Advance this clock, and shorten the lifetime of all keys with the prefix."""
        self._offset += seconds
        async for key in self._redis.scan_iter(f"{self._prefix}:*"):
            left = await self._redis.pttl(key)
            if left <= seconds * 1000:
                await self._redis.delete(key)
                continue
            if await self._redis.type(key) == b"list":
                instants = [
                    int(instant) - round(seconds * 1_000_000) for instant in await self._redis.lrange(key, 0, -1)
                ]
                await self._redis.delete(key)
                await self._redis.rpush(key, *instants)
            await self._redis.pexpire(key, round(left - seconds * 1000))
