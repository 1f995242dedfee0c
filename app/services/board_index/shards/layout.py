"""The layout of split categories in Redis: which shard has a user, and the names of the shards.

A shard is a category of its own as far as Redis is concerned, with its own hash tag, `meta`, sets and digests
(`app/services/board_index/layout.py`). Shard 1 of 3 of the category `global` is called `global/3/1/0`, or ends with
another number: the first one by which shard n of S lies in part n of S equal parts of the slots, so that the nodes of a
cluster have equally many shards. The number of shards is part of the name: copies that were divided in another way are
other copies.

All shards of a category have the same epoch. They are trusted together or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from itertools import count
from typing import Any, TypeVar
from uuid import UUID
from zlib import crc32

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from app.domain.boards.board import Board

T = TypeVar("T")

ShardCount = Callable[[str], int]
"""Returns the number of shards of a category; 1 if it is not split."""


@lru_cache(maxsize=1024)
def shard_names(category: str, shards: int) -> tuple[str, ...]:
    """Return the name of each shard of a category, which takes the place of a category in the names of keys."""
    return tuple(_name(category, shards, shard) for shard in range(shards))


def shard_of(user_id: bytes, shards: int) -> int:
    """Return the shard that has a user, the same in every process."""
    return crc32(user_id) % shards


@lru_cache(maxsize=4096)
def shard_boards(board: Board, shards: int) -> tuple[Board, ...]:
    """Return the part of a board in each shard, as a board."""
    return tuple(Board(name, board.window) for name in shard_names(board.category, shards))


def by_shard(users: Iterable[UUID], shards: int) -> list[list[UUID]]:
    """Divide users by shard."""
    parts: list[list[UUID]] = [[] for _ in range(shards)]
    for user_id in users:
        parts[shard_of(user_id.bytes, shards)].append(user_id)
    return parts


async def gather_all(calls: Iterable[Awaitable[T]]) -> Sequence[T]:
    """Make calls at the same time and return their results; when all have ended, raise what the first failed with."""
    results: Sequence[Any] = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def _name(category: str, shards: int, shard: int) -> str:
    names = (f"{category}/{shards}/{shard}/{number}" for number in count())
    return next(name for name in names if key_slot(name.encode()) * shards // REDIS_CLUSTER_HASH_SLOTS == shard)
