"""Read views of a split board: find where each view is, then read all shards there once and merge what they have.

Each shard is read by a single call for all views of a request, which is one moment of the shard. What is returned comes
from these calls alone; earlier rounds only tell which positions to read, and it is verified that they still are the
right ones. Otherwise all is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis

from app.domain.boards.board import Board, Version
from app.runtime import Runtime
from app.services.board_index.index import ViewRequest, ViewsReply
from app.services.board_index.layout import Keys, window_epoch
from app.services.board_index.shards.ask import AskShards, Question
from app.services.board_index.shards.layout import shard_of
from app.services.board_index.shards.merge import (
    END,
    START,
    MergedRows,
    ShardRows,
    merge_rows,
    read_position,
)
from app.services.board_index.shards.pivot import REACH, find_pivot
from app.stores.redis_caller import RedisCaller, RedisUnreachable

MAX_ATTEMPTS = 8
"""How often all is read again because a user of a view has moved meanwhile; then the board is read from PostgreSQL."""

MAX_MERGED_ROWS = 400
"""Rows per shard from the first or the last entry on. Pages that lie further inside are found by their pivot."""


class _Target(NamedTuple):
    """Where a view is.

    Attributes:
        position: The position around which rows are read.
        below: How many rows are needed that precede it.
        after: How many from it on.
        place: Returns offset and length of the view, from the rows and the size of the board.
        user: The user who must still have the position; None if it is that of no user.
    """

    position: bytes
    below: int
    after: int
    place: Callable[[MergedRows, int], tuple[int, int]]
    user: bytes | None = None


class ShardViews:
    """Reads views of split boards."""

    def __init__(self, redis: Redis, redis_caller: RedisCaller, keys: Keys, runtime: Runtime) -> None:
        self._ask = AskShards(redis, redis_caller, keys, runtime)

    async def read(self, board: Board, shards: int, requests: Sequence[ViewRequest]) -> ViewsReply:
        """Read all `requests` at one version: that of the sum of the shards.

        Raises:
            BoardNotLoaded: A shard is not loaded, or belongs to another epoch than the others.
            RedisUnreachable: A shard did not answer, or the users of the views moved during every attempt.
        """
        for _ in range(MAX_ATTEMPTS):
            positions = await self._positions_of_users(board, shards, requests)
            targets = [await self._target(board, shards, request, positions) for request in requests]
            questions = [_questions(request, target, shards) for request, target in zip(requests, targets, strict=True)]
            replies = await self._ask.all(board, [[one for ask in questions for one in ask[s]] for s in range(shards)])
            answers = [iter(reply.answers) for reply in replies]
            total = sum(reply.total for reply in replies)
            views = []
            for target, asked in zip(targets, questions, strict=True):
                found = [[next(answers[shard]) for _ in asked[shard]] for shard in range(shards)]
                views.append(_view(target, found, total))
            if None not in views:
                version = Version(window_epoch(replies[0].epoch, board), sum(reply.version for reply in replies))
                changed_at = max(reply.changed_at for reply in replies)
                return ViewsReply(version, changed_at, total, [view for view in views if view is not None])
        raise RedisUnreachable(f"the users of {len(requests)} views of {board.key} moved while they were read")

    async def _positions_of_users(
        self, board: Board, shards: int, requests: Sequence[ViewRequest]
    ) -> Mapping[bytes, bytes | None]:
        """Read the positions of the users of `requests`, None for a user without one."""
        users: list[list[bytes]] = [[] for _ in range(shards)]
        for user in dict.fromkeys(_user_of(request) for request in requests):
            if user is not None:
                users[shard_of(user, shards)].append(user)
        asked = {shard: [("user", user, 0, 0) for user in part] for shard, part in enumerate(users) if part}
        replies = await self._ask.some(board, shards, asked) if asked else {}
        return {
            user: read_position(answer)
            for shard, reply in replies.items()
            for user, answer in zip(users[shard], reply.answers, strict=True)
        }

    async def _target(
        self, board: Board, shards: int, request: ViewRequest, positions: Mapping[bytes, bytes | None]
    ) -> _Target | None:
        """Return where a view is; None if its user is not on the board."""
        kind, first, second = request
        count = int(second)
        if kind == "page":
            return await self._target_of_page(board, shards, int(first), count)
        assert isinstance(first, bytes)
        if kind == "after":
            return _Target(first, 0, count + 1, lambda rows, total: (rows.before + rows.is_taken, count))
        if kind == "before":
            return _Target(first or END, count, 0, lambda rows, total: _leading_up(rows.before, count))
        position = positions[first]
        if position is None:
            return None
        if kind == "place":
            return _Target(position, count, 1, lambda rows, total: _leading_up(rows.before + 1, count + 1), first)
        size = 2 * count + 1
        return _Target(
            position,
            size - 1,
            size,
            lambda rows, total: (max(0, min(rows.before - count, total - size)), size),
            first,
        )

    async def _target_of_page(self, board: Board, shards: int, offset: int, limit: int) -> _Target:
        def place(rows: MergedRows, total: int) -> tuple[int, int]:
            return offset, limit

        if offset + limit <= MAX_MERGED_ROWS:
            return _Target(START, 0, offset + limit, place)
        sizes = [reply.total for reply in await self._ask.all(board, [[]] * shards)]
        if sum(sizes) - offset <= MAX_MERGED_ROWS - REACH:
            return _Target(END, max(0, sum(sizes) - offset) + REACH, 0, place)
        return _Target(await find_pivot(self._ask, board, sizes, offset), REACH, REACH + limit, place)


def _user_of(request: ViewRequest) -> bytes | None:
    kind, user, _ = request
    return user if kind in ("around", "place") and isinstance(user, bytes) else None


def _leading_up(stop: int, limit: int) -> tuple[int, int]:
    """Return offset and length of the up to `limit` entries before the offset `stop`."""
    first = max(0, stop - limit)
    return first, stop - first


def _questions(request: ViewRequest, target: _Target | None, shards: int) -> list[list[Question]]:
    """Return what each shard is asked for one view: also whether a user without an entry still has none."""
    if target is not None:
        return [[("rows", target.position, target.below, target.after)] for _ in range(shards)]
    user = _user_of(request)
    assert user is not None
    own = shard_of(user, shards)
    return [[("user", user, 0, 0)] if shard == own else [] for shard in range(shards)]


def _view(target: _Target | None, found: Sequence[Sequence[Any]], total: int) -> list[Any] | None:
    """Return a view as `views.lua` does; None if it is somewhere else by now."""
    if target is None:
        return None if any(answer for of_shard in found for answer in of_shard) else []
    rows = merge_rows(target.position, target.below, target.after, [ShardRows.of(one) for (one,) in found])
    if target.user is not None and not rows.is_taken:
        return None
    return rows.view(*target.place(rows, total), total)
