"""The board index of split categories: write rows to their shards, and announce and rank them as of one board."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

from redis.asyncio import Redis

from app.domain.boards.board import Board, Version
from app.domain.boards.periods import parse_window
from app.domain.ledger.posting import ScoreChange
from app.pubsub.channels.events import BoardMoved
from app.runtime import Runtime
from app.services.board_index.index import (
    MICROSECONDS,
    BoardIndex,
    BoardNotLoaded,
    PutResult,
    Ranks,
    ViewRequest,
    ViewsReply,
    register_script,
)
from app.services.board_index.layout import Keys, window_epoch
from app.services.board_index.shards.layout import ShardCount, gather_all, shard_boards, shard_names, shard_of
from app.services.board_index.shards.views import ShardViews
from app.stores.redis_caller import RedisCaller, RedisUnreachable

PACKED_WIDTH = 41
"""The bytes of a row as `load.lua` takes it; the last 16 are the user id."""


class _StoredRow(NamedTuple):
    """What `put.lua` has stored of a row: its shard, its ranks there (0: none), and its positions (empty: none)."""

    shard: int
    board: Board
    rank_before: int
    rank_after: int
    position_before: bytes
    position_after: bytes


class _Round(NamedTuple):
    """What the shards answered to one round of counts.

    Attributes:
        epoch: The epoch of all of them.
        versions: The version of each board, without closed windows that a shard does not have whole.
        counts: By position on a board, how many rows precede it in the shards that do not have its user.
    """

    epoch: str
    versions: dict[Board, int]
    counts: Mapping[tuple[Board, bytes], int]


class SplitBoardIndex(BoardIndex):
    """The board index, in which a category may be split. Each round is a call of a script per shard, at the same time.

    The version of a split board is the sum of the versions of its shards: each only grows, so the sum grows with every
    change.
    """

    def __init__(
        self, redis: Redis, redis_caller: RedisCaller, keys: Keys, runtime: Runtime, shard_count: ShardCount
    ) -> None:
        """Create a board index.

        Args:
            redis: The client.
            redis_caller: Calls Redis.
            keys: The names of keys.
            runtime: The clock.
            shard_count: Returns the number of shards of a category.
        """
        super().__init__(redis, redis_caller, keys, runtime)
        self._shard_count = shard_count
        self._counts = register_script(redis, "positions", "shard_counts")
        self._shard_views = ShardViews(redis, redis_caller, keys, runtime)

    async def put(self, score_changes: Sequence[ScoreChange], transaction_id: UUID | None = None) -> PutResult:
        """Store rows of one category as `BoardIndex.put` does.

        The rows of a user are in one shard and are stored at once, those of several users one shard after the other.
        The ranks are those on the board with all these rows, since the shards are counted after the last was stored.

        Raises:
            BoardNotLoaded: A shard is not loaded, or belongs to another epoch than the others.
            RedisUnreachable: A shard did not answer. Others may have stored their rows.
        """
        category = score_changes[0].board.category
        shards = self._shard_count(category)
        if shards == 1:
            return await super().put(score_changes, transaction_id)
        stored, moved = await self._store(score_changes, transaction_id, shards)
        found = await self._count(category, stored, {change.board for change in score_changes}, shards)
        moves = [
            BoardMoved(
                f"{category}/{board.window.key}",
                Version(window_epoch(found.epoch, board), found.versions[board]),
                top_moved,
                changed_at=changed_at / MICROSECONDS,
            )
            for board, (top_moved, changed_at) in moved.items()
            if board in found.versions
        ]
        if moves:
            await self._announce(category, moves)
        return PutResult(
            [_ranks(row, found.counts) if row.board in found.versions else Ranks() for row in stored], moves
        )

    async def load(self, board: Board, epoch: str, packed_rows: bytes) -> None:
        """Store rows of a board in its shards as `BoardIndex.load` does. Raises BoardNotLoaded."""
        shards = self._shard_count(board.category)
        if shards == 1:
            await super().load(board, epoch, packed_rows)
            return
        parts: list[list[bytes]] = [[] for _ in range(shards)]
        for start in range(0, len(packed_rows), PACKED_WIDTH):
            row = packed_rows[start : start + PACKED_WIDTH]
            parts[shard_of(row[-16:], shards)].append(row)
        calls = [
            self._load_arguments(part, epoch, b"".join(rows))
            for part, rows in zip(shard_boards(board, shards), parts, strict=True)
            if rows
        ]
        answers = await self._redis_caller(
            lambda: gather_all(self._load(keys=keys, args=arguments) for keys, arguments in calls), writes=True
        )
        if None in answers:
            raise BoardNotLoaded(board.category)

    async def views(self, board: Board, requests: Iterable[ViewRequest]) -> ViewsReply:
        """Read all `requests` at one version. Raises BoardNotLoaded."""
        shards = self._shard_count(board.category)
        if shards == 1:
            return await super().views(board, requests)
        return await self._shard_views.read(board, shards, list(requests))

    async def probe(self, category: str) -> None:
        """Write to each server that has a shard of a category, to find out whether it accepts writes."""
        shards = self._shard_count(category)
        names = [category] if shards == 1 else shard_names(category, shards)
        await gather_all(super(SplitBoardIndex, self).probe(name) for name in names)

    async def _store(
        self, score_changes: Sequence[ScoreChange], transaction_id: UUID | None, shards: int
    ) -> tuple[list[_StoredRow], dict[Board, tuple[bool, int]]]:
        """Store rows in their shards.

        Returns:
            What is stored of each row, and of each board that changed whether the head may have and when it did. The
            head of a shard contains its part of the head of the board.
        """
        category = score_changes[0].board.category
        parts: dict[int, list[int]] = {}
        for index, change in enumerate(score_changes):
            parts.setdefault(shard_of(change.user_id.bytes, shards), []).append(index)
        calls = []
        for shard, indexes in parts.items():
            rows = [
                replace(score_changes[index], board=shard_boards(score_changes[index].board, shards)[shard])
                for index in indexes
            ]
            calls.append(self._put_arguments(rows, transaction_id, ""))
        answers = await self._redis_caller(
            lambda: gather_all(self._put(keys=keys, args=arguments) for keys, arguments in calls), writes=True
        )
        if None in answers:
            raise BoardNotLoaded(category)
        stored: dict[int, _StoredRow] = {}
        moved: dict[Board, tuple[bool, int]] = {}
        for (shard, indexes), (ranks, changes, positions) in zip(parts.items(), answers, strict=True):
            for i, index in enumerate(indexes):
                before, after = 2 * i, 2 * i + 1
                board = score_changes[index].board
                stored[index] = _StoredRow(
                    shard, board, ranks[before], ranks[after], positions[before], positions[after]
                )
            for window, _, top_moved, _, changed_at in changes:
                board = Board(category, parse_window(window.decode()))
                moved[board] = (top_moved == 1 or moved.get(board, (False, 0))[0], int(changed_at))
        return [stored[index] for index in range(len(score_changes))], moved

    async def _count(self, category: str, stored: Sequence[_StoredRow], boards: Iterable[Board], shards: int) -> _Round:
        """Count in the other shards the rows before every position of `stored`, and read the versions of `boards`."""
        numbers = {board: number for number, board in enumerate(boards, 1)}
        positions: list[list[tuple[Board, bytes]]] = [[] for _ in range(shards)]
        """Those that each shard counts: of the users of the other shards."""
        for row in stored:
            for position in dict.fromkeys((row.position_before, row.position_after)):
                for shard in range(shards):
                    if position and shard != row.shard:
                        positions[shard].append((row.board, position))

        def call(shard: int, name: str) -> Any:
            keys = [self._keys.meta(name)]
            for board in numbers:
                part = shard_boards(board, shards)[shard]
                keys += (self._keys.order(part), self._keys.members(part))
            arguments: list[Any] = [len(numbers), *(board.window.key for board in numbers)]
            for board, position in positions[shard]:
                arguments += (numbers[board], position)
            return self._counts(keys=keys, args=arguments)

        names = shard_names(category, shards)
        answers = await self._redis_caller(lambda: gather_all(call(shard, name) for shard, name in enumerate(names)))
        if None in answers or len({epoch for epoch, _, _ in answers}) > 1:
            raise BoardNotLoaded(category)
        of_shards = dict(zip(numbers, zip(*(one for _, one, _ in answers), strict=True), strict=True))
        lost = [board for board, versions in of_shards.items() if None in versions]
        if not all(board.window.is_closed(self._runtime.clock()) for board in lost):
            raise BoardNotLoaded(category)
        versions = {board: sum(versions) for board, versions in of_shards.items() if board not in lost}
        counts: Counter[tuple[Board, bytes]] = Counter()
        for asked, (_, _, found) in zip(positions, answers, strict=True):
            counts.update(dict(zip(asked, found, strict=True)))
        return _Round(answers[0][0].decode(), versions, counts)

    async def _announce(self, category: str, moves: Sequence[BoardMoved]) -> None:
        """Publish which boards changed, as `put.lua` does. A lost message does no harm: feeds compare versions."""
        news = [
            [
                move.board.partition("/")[2],
                move.version.number,
                move.top_moved,
                move.version.epoch,
                str(round((move.changed_at or 0) * MICROSECONDS)),
            ]
            for move in moves
        ]
        message, channel = json.dumps({"boards": news}), self._keys.channel(category)
        with suppress(RedisUnreachable):
            await self._redis_caller(lambda: self._redis.spublish(channel, message))


def _ranks(row: _StoredRow, counts: Mapping[tuple[Board, bytes], int]) -> Ranks:
    def rank(in_shard: int, position: bytes) -> int | None:
        return in_shard + counts[row.board, position] if position else None

    return Ranks(rank(row.rank_before, row.position_before), rank(row.rank_after, row.position_after))
