"""The open sockets of each user on all instances, so that their number per user can be limited."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from redis.asyncio import Redis

from app.pubsub.channels.channel_connection import OUTAGES
from app.pubsub.channels.events import SocketClosed
from app.pubsub.channels.notices import Notices
from app.runtime import Runtime
from app.stores.redis_caller import RedisCaller, RedisUnreachable

ADD_SOCKET_SCRIPT = Path(__file__).parent / "add_socket.lua"
"""The Lua script that registers a socket; its header documents keys, arguments and results."""

ENTRY_LIFETIME = 86_400
"""Seconds after which an entry is dropped: its instance may have ended without removing it."""


class RedisSocketRegistry:
    """Keeps a sorted set of sockets per user, by the time of opening.

    While Redis is not reachable, sockets are neither counted nor refused.
    """

    def __init__(
        self,
        redis: Redis,
        redis_caller: RedisCaller,
        notices: Notices,
        runtime: Runtime,
        *,
        prefix: str,
        max_sockets: int,
    ) -> None:
        """Create a registry.

        Args:
            redis: The client.
            redis_caller: Calls Redis behind a circuit breaker.
            notices: Publishes which sockets must close.
            runtime: The source of time.
            prefix: The beginning of all keys.
            max_sockets: The number of sockets that a user may have on all instances together.
        """
        self._redis = redis
        self._redis_caller = redis_caller
        self._notices = notices
        self._clock = runtime.clock
        self._prefix = prefix
        self._max_sockets = max_sockets
        self._add = redis.register_script(ADD_SOCKET_SCRIPT.read_text())

    async def add(self, user_id: str, socket_id: str) -> Sequence[str]:
        """Register a socket.

        Returns:
            The ids of the oldest sockets beyond the limit. They are published, so that other instances close theirs.
        """
        arguments: list[str | int | float] = [socket_id, self._clock().timestamp(), self._max_sockets, ENTRY_LIFETIME]
        try:
            raw: list[bytes] = await self._redis_caller(
                lambda: self._add(keys=[self._key(user_id)], args=arguments), writes=True
            )
        except RedisUnreachable:
            return []
        excess = [socket.decode() for socket in raw]
        for socket in excess:
            with suppress(*OUTAGES):
                await self._notices.publish(SocketClosed(socket))
        return excess

    async def remove(self, user_id: str, socket_id: str) -> None:
        """Remove a socket; removing one that is not registered changes nothing."""
        with suppress(RedisUnreachable):
            await self._redis_caller(lambda: self._redis.zrem(self._key(user_id), socket_id), writes=True)

    def _key(self, user_id: str) -> str:
        return f"{self._prefix}:sockets:{{{user_id}}}"
