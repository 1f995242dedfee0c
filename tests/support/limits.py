"""Rate limits for tests, and time that passes when a test says so."""

from __future__ import annotations

import time

from redis.asyncio import Redis

from app.domain.rate_limits import MINUTE, Activity, BlockingRule, Limit, Limits

NO_BLOCKING = BlockingRule(max_overruns=100_000, window_seconds=MINUTE, block_seconds=300)


def limits(
    *,
    issue: int = 1000,
    submit: int = 1000,
    query: int = 1000,
    issue_address: int = 1000,
    submit_address: int = 1000,
    query_address: int = 1000,
    anonymous: int = 1000,
    service_wide: int = 100_000,
    blocking: BlockingRule = NO_BLOCKING,
    aggregate_factor: int = 16,
) -> Limits:
    """Limits that are in nobody's way but for those a test names."""
    return Limits(
        user={
            Activity.ISSUE: Limit("user-issue", "action tokens", issue, MINUTE),
            Activity.SUBMIT: Limit("user-submit", "submissions", submit, MINUTE),
            Activity.QUERY: Limit("user-query", "queries", query, MINUTE),
        },
        address={
            Activity.ISSUE: Limit("address-issue", "action tokens", issue_address, MINUTE),
            Activity.SUBMIT: Limit("address-submit", "submissions", submit_address, MINUTE),
            Activity.QUERY: Limit("address-query", "queries", query_address, MINUTE),
        },
        anonymous=Limit("anonymous", "anonymous requests", anonymous, MINUTE),
        service_wide=Limit("everybody", "requests", service_wide, 1),
        blocking=blocking,
        aggregate_factor=aggregate_factor,
    )


class ShiftableTime:
    """A monotonic clock that can be advanced together with the state of a rate limiter in Redis."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._advanced = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._advanced

    async def advance(self, seconds: float) -> None:
        """Advance this clock, and make all keys of the prefix older."""
        self._advanced += seconds
        microseconds = round(seconds * 1_000_000)
        async for key in self._redis.scan_iter(f"{self._prefix}:*"):
            left = await self._redis.pttl(key)
            if left <= seconds * 1000:
                await self._redis.delete(key)
                continue
            if await self._redis.type(key) == b"list":
                instants = [int(instant) - microseconds for instant in await self._redis.lrange(key, 0, -1)]
                await self._redis.delete(key)
                await self._redis.rpush(key, *instants)
            else:
                await self._redis.set(key, int(await self._redis.get(key)) - microseconds)
            await self._redis.pexpire(key, round(left - seconds * 1000))
