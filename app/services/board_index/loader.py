"""Load categories into Redis, and examine what is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from uuid import UUID

from redis.asyncio import Redis

from app.domain.boards.board import Board
from app.domain.boards.periods import parse_window
from app.services.board_index.layout import Keys, is_evicted, window_of_field
from app.stores.redis import RedisCaller


class IndexLoader:
    """Loads and examines categories. Every call raises RedisUnreachable if Redis does not answer."""

    def __init__(self, redis: Redis, redis_caller: RedisCaller, keys: Keys) -> None:
        self._redis = redis
        self._redis_caller = redis_caller
        self._keys = keys

    async def run_id(self) -> str:
        """Return the identity of the current run of the Redis server."""
        facts = await self._redis_caller(lambda: self._redis.info("server"))
        return str(facts["run_id"])

    async def is_complete(self, category: str, run_id: str) -> bool:
        """Whether the category was loaded into this run of the server: a restart may restore an old snapshot."""
        meta = self._keys.meta(category)
        ready: bytes | None = await self._redis_caller(lambda: self._redis.hget(meta, "ready"))
        return ready is not None and ready.decode() == run_id

    async def begin(self, category: str, boards: Iterable[Board], epoch: str) -> None:
        """Empty the boards of a category and begin a new epoch. Puts are accepted from now on, reads after `finish`."""
        pipe = self._redis.pipeline(transaction=True)
        # By name, because pipelines of a cluster do not have the methods for several keys.
        pipe.execute_command("DEL", self._keys.meta(category))
        for board in boards:
            pipe.execute_command("UNLINK", self._keys.order(board), self._keys.members(board))
        pipe.hset(self._keys.meta(category), "epoch", epoch)
        await self._redis_caller(pipe.execute)

    async def finish(self, category: str, run_id: str) -> None:
        """Mark the category as loaded, so that it is read."""
        meta = self._keys.meta(category)
        await self._redis_caller(lambda: self._redis.hset(meta, "ready", run_id))

    async def delete_evicted_versions(self, category: str, now: datetime) -> None:
        """Delete the versions of boards that were evicted."""
        meta = self._keys.meta(category)
        fields = [raw.decode() for raw in await self._redis_caller(lambda: self._redis.hkeys(meta))]
        gone = [field for field in fields if (window := window_of_field(field)) and _is_evicted(category, window, now)]
        if gone:
            await self._redis_caller(lambda: self._redis.hdel(meta, *gone))

    async def lock(self, category: str, owner: str, seconds: int) -> bool:
        """Acquire the rebuild lock of a category for `seconds`, or extend it; return whether `owner` has it."""
        key = self._keys.rebuild_lock(category)
        holder: bytes | None = await self._redis_caller(
            lambda: self._redis.set(key, owner, nx=True, get=True, ex=seconds)
        )
        if holder is None:
            return True
        if holder != owner.encode():
            return False
        return bool(await self._redis_caller(lambda: self._redis.expire(key, seconds)))

    async def unlock(self, category: str) -> None:
        """Release the rebuild lock of a category."""
        await self._redis_caller(lambda: self._redis.delete(self._keys.rebuild_lock(category)))

    async def size(self, board: Board) -> int:
        """Count the visible users of a board in Redis."""
        shown: int = await self._redis_caller(lambda: self._redis.zcard(self._keys.order(board)))
        return shown

    async def users(self, board: Board) -> set[UUID]:
        """Read all users of a board in Redis, hidden ones included."""
        members = self._keys.members(board)
        known: set[UUID] = set()
        cursor = 0
        while True:
            cursor, found = await self._redis_caller(partial(self._redis.hscan, members, cursor, count=1000))
            known.update(UUID(bytes=user) for user in found)
            if cursor == 0:
                return known

    async def remove_user(self, board: Board, user_id: UUID) -> None:
        """Remove a user from a board in Redis."""
        order, members = self._keys.order(board), self._keys.members(board)
        known = await self._redis_caller(lambda: self._redis.hget(members, user_id.bytes))
        if known is not None:
            pipe = self._redis.pipeline(transaction=True)
            pipe.zrem(order, known[:8] + user_id.bytes)
            pipe.hdel(members, user_id.bytes)
            await self._redis_caller(pipe.execute)


def _is_evicted(category: str, window: str, now: datetime) -> bool:
    return is_evicted(Board(category, parse_window(window)), now)
