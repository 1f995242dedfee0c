"""Rows in Redis, to compare them with PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from redis.asyncio import Redis

from app.domain.boards.board import Board
from app.domain.instants import from_micros
from app.domain.ledger.posting import ScoreChange
from app.services.board_index.layout import Keys, encode_reached_at
from app.stores.redis_caller import RedisCaller


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One user's row in Redis. `sort_key` is None for a hidden user."""

    reached_at: bytes
    revision: int
    sort_key: int | None

    def __str__(self) -> str:
        shown = "hidden" if self.sort_key is None else f"sort key {self.sort_key}"
        at = from_micros(int.from_bytes(self.reached_at, "big")).isoformat()
        return f"revision {self.revision} ({shown}, reached at {at})"


def expected_row(change: ScoreChange) -> IndexRow:
    """Return the row that Redis should have."""
    row = change.row
    return IndexRow(encode_reached_at(row.reached_at), row.revision, None if row.hidden else change.sort_key)


class IndexRows:
    """Reads rows of the board index. Every call raises RedisUnreachable if Redis does not answer."""

    def __init__(self, redis: Redis, redis_caller: RedisCaller, keys: Keys) -> None:
        self._redis = redis
        self._redis_caller = redis_caller
        self._keys = keys

    async def of(self, board: Board, users: Sequence[UUID]) -> list[IndexRow | None]:
        """Read the row of each user on a board, None for a user without one."""
        if not users:
            return []
        order, members = self._keys.order(board), self._keys.members(board)
        known = await self._redis_caller(lambda: self._redis.hmget(members, [user.bytes for user in users]))
        members_of_users = [(raw or b"")[:8] + user.bytes for raw, user in zip(known, users, strict=True)]
        keys = await self._redis_caller(lambda: self._redis.zmscore(order, members_of_users))  # type: ignore[arg-type]
        return [
            None if raw is None else IndexRow(raw[:8], int(raw[8:]), None if key is None else int(key))
            for raw, key in zip(known, keys, strict=True)
        ]

    async def sizes(self, board: Board) -> tuple[int, int]:
        """Count the visible users of a board, and all of them, hidden ones included."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.zcard(self._keys.order(board))
        pipe.hlen(self._keys.members(board))
        shown, known = await self._redis_caller(pipe.execute)
        return shown, known

    async def leaders(self, board: Board, count: int) -> list[UUID]:
        """Read the first users of a board, in order."""
        members: list[bytes] = await self._redis_caller(
            lambda: self._redis.zrange(self._keys.order(board), 0, count - 1)
        )
        return [UUID(bytes=member[8:24]) for member in members]
