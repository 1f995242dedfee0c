"""The sockets of each user on all instances, so that nobody holds more than a few."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from redis.asyncio import Redis

from app.pubsub.channels.events import SocketClosed
from app.pubsub.channels.notices import Notices
from app.pubsub.channels.redis_backend import OUTAGES
from app.stores.redis import RedisCaller, RedisUnreachable

SCRIPT = Path(__file__).parent / "add_socket.lua"
LIFETIME = 86_400


class RedisSocketRegistry:
    """A sorted set per user, by the time of opening. While Redis is away nobody is counted, and nobody is refused."""

    def __init__(
        self,
        redis: Redis,
        redis_caller: RedisCaller,
        notices: Notices,
        clock: Callable[[], datetime],
        *,
        prefix: str,
        most: int,
    ) -> None:
        """`most`: the sockets one user may have."""
        self._redis = redis
        self._redis_caller = redis_caller
        self._notices = notices
        self._clock = clock
        self._prefix = prefix
        self._most = most
        self._add = redis.register_script(SCRIPT.read_text())

    async def add(self, user_id: str, socket_id: str) -> Sequence[str]:
        """Register a socket. Returns the oldest beyond the limit; other instances are told to close theirs."""
        arguments: list[str | int | float] = [socket_id, self._clock().timestamp(), self._most, LIFETIME]
        try:
            raw: list[bytes] = await self._redis_caller(lambda: self._add(keys=[self._key(user_id)], args=arguments))
        except RedisUnreachable:
            return []
        excess = [one.decode() for one in raw]
        for one in excess:
            with suppress(*OUTAGES):
                await self._notices.publish(SocketClosed(one))
        return excess

    async def remove(self, user_id: str, socket_id: str) -> None:
        """Forget a socket, which may be forgotten already."""
        with suppress(RedisUnreachable):
            await self._redis_caller(lambda: self._redis.zrem(self._key(user_id), socket_id))

    def _key(self, user_id: str) -> str:
        return f"{self._prefix}:sockets:{{{user_id}}}"
