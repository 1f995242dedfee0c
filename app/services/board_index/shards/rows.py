"""Rows of split categories in Redis, to compare them with PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import merge
from itertools import islice
from uuid import UUID

from redis.asyncio import Redis

from app.domain.boards.board import Board
from app.services.board_index.layout import Keys, split_member
from app.services.board_index.row_reader import IndexRow, IndexRows
from app.services.board_index.shards.layout import ShardCount, by_shard, gather_all, shard_boards
from app.stores.redis_caller import RedisCaller


class SplitIndexRows(IndexRows):
    """Reads rows of the board index, in which a category may be split."""

    def __init__(self, redis: Redis, redis_caller: RedisCaller, keys: Keys, shard_count: ShardCount) -> None:
        super().__init__(redis, redis_caller, keys)
        self._shard_count = shard_count

    async def of(self, board: Board, users: Sequence[UUID]) -> list[IndexRow | None]:
        """Read the row of each user on a board, None for a user without one."""
        shards = self._shard_count(board.category)
        if shards == 1:
            return await super().of(board, users)
        parts = by_shard(users, shards)
        found = await gather_all(
            super(SplitIndexRows, self).of(one, part)
            for one, part in zip(shard_boards(board, shards), parts, strict=True)
        )
        rows = {
            user_id: row
            for part, of_part in zip(parts, found, strict=True)
            for user_id, row in zip(part, of_part, strict=True)
        }
        return [rows[user_id] for user_id in users]

    async def sizes(self, board: Board) -> tuple[int, int]:
        """Count the visible users of a board, and all of them, hidden ones included."""
        shards = self._shard_count(board.category)
        if shards == 1:
            return await super().sizes(board)
        sizes = await gather_all(super(SplitIndexRows, self).sizes(one) for one in shard_boards(board, shards))
        return sum(shown for shown, _ in sizes), sum(known for _, known in sizes)

    async def leaders(self, board: Board, count: int) -> list[UUID]:
        """Read the first users of a board, in order."""
        shards = self._shard_count(board.category)
        if shards == 1:
            return await super().leaders(board, count)
        return await read_leaders(self._redis, self._redis_caller, self._keys, shard_boards(board, shards), count)


async def read_leaders(
    redis: Redis, redis_caller: RedisCaller, keys: Keys, parts: Sequence[Board], count: int
) -> list[UUID]:
    """Read the first `count` users of the board that has these parts, in order."""
    heads = await redis_caller(
        lambda: gather_all(redis.zrange(keys.order(part), 0, count - 1, withscores=True) for part in parts)
    )
    rows = merge(*([(sort_key, member) for member, sort_key in head] for head in heads))
    return [split_member(member)[1] for _, member in islice(rows, count)]
