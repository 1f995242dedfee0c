"""Load split categories into Redis, and examine what is loaded: as one category, which is whole if all shards are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from redis.asyncio import Redis

from app.domain.boards.board import Board
from app.domain.boards.digests import BoardDigests
from app.services.board_index.layout import Keys
from app.services.board_index.loader import CopyState, IndexLoader
from app.services.board_index.shards.layout import ShardCount, by_shard, gather_all, shard_boards, shard_names
from app.services.board_index.shards.rows import read_leaders
from app.stores.redis_caller import RedisCaller


class SplitIndexLoader(IndexLoader):
    """Loads and examines categories, which may be split. The rebuild lock is one per category, split or not."""

    def __init__(self, redis: Redis, redis_caller: RedisCaller, keys: Keys, shard_count: ShardCount) -> None:
        super().__init__(redis, redis_caller, keys)
        self._shard_count = shard_count

    async def examine(self, category: str, boards: Iterable[Board] = ()) -> CopyState:
        """Return the state of a category, and which of `boards` are incomplete in any shard."""
        known = list(boards)
        states = await gather_all(
            super(SplitIndexLoader, self).examine(name, parts) for name, parts in self._parts(category, known)
        )
        return states[0] if len(states) == 1 else combine_states(states)

    async def begin(self, category: str, boards: Iterable[Board], epoch: str, origin: str, now: datetime) -> None:
        """Delete the boards of a category and begin a new epoch in every shard; see `IndexLoader.begin`."""
        await gather_all(
            super(SplitIndexLoader, self).begin(name, parts, epoch, origin, now)
            for name, parts in self._parts(category, list(boards))
        )

    async def delete_evicted_versions(self, category: str, now: datetime) -> None:
        """Delete the versions of boards that were evicted."""
        for name, _ in self._parts(category, ()):
            await super().delete_evicted_versions(name, now)

    async def size(self, board: Board) -> int:
        """Count the visible users of a board in Redis."""
        return sum(await gather_all(super(SplitIndexLoader, self).size(one) for one in self._boards(board)))

    async def digests(self, board: Board) -> tuple[int, BoardDigests]:
        """Read the number of rows of a board in Redis, hidden ones included, and their digests."""
        found = await gather_all(super(SplitIndexLoader, self).digests(one) for one in self._boards(board))
        sums: dict[int, int] = {}
        for _, digests in found:
            for bucket, digest in digests.by_bucket.items():
                sums[bucket] = sums.get(bucket, 0) + digest
        return sum(rows for rows, _ in found), BoardDigests(sums)

    async def leaders(self, board: Board, count: int) -> list[UUID]:
        """Read the first users of a board in Redis, in order."""
        parts = self._boards(board)
        if len(parts) == 1:
            return await super().leaders(board, count)
        return await read_leaders(self._redis, self._redis_caller, self._keys, parts, count)

    async def users(self, board: Board) -> set[UUID]:
        """Read all users of a board in Redis, hidden ones included."""
        return set[UUID]().union(*[await super(SplitIndexLoader, self).users(one) for one in self._boards(board)])

    async def remove_users(self, board: Board, user_ids: Iterable[UUID]) -> None:
        """Remove users from a board in Redis, unless it is incomplete."""
        parts = self._boards(board)
        for one, users in zip(parts, by_shard(user_ids, len(parts)), strict=True):
            if users:
                await super().remove_users(one, users)

    async def delete_copies(self, category: str, shards: int, boards: Iterable[Board]) -> None:
        """Delete the copies of a category in `shards` shards, whether or not it has as many now.

        Args:
            category: The category.
            shards: The number of shards that the copies are divided over; 1: copies that are not divided.
            boards: All boards that Redis may have of it.
        """
        for name, parts in _divide(category, shards, list(boards)):
            keys = [*self._keys_of(name, parts), *map(self._keys.digests, parts)]
            await self._redis_caller(partial(self._redis.unlink, *keys), writes=True)

    async def _set(self, category: str, epoch: str, field: str, value: int) -> bool:
        return all(
            await gather_all(
                super(SplitIndexLoader, self)._set(name, epoch, field, value) for name, _ in self._parts(category, ())
            )
        )

    def _boards(self, board: Board) -> Sequence[Board]:
        """Return the parts of a board: itself if its category is not split."""
        shards = self._shard_count(board.category)
        return [board] if shards == 1 else shard_boards(board, shards)

    def _parts(self, category: str, boards: Sequence[Board]) -> list[tuple[str, list[Board]]]:
        """Return each shard with its parts of `boards`: the category itself if it is not split."""
        return _divide(category, self._shard_count(category), boards)


def _divide(category: str, shards: int, boards: Sequence[Board]) -> list[tuple[str, list[Board]]]:
    if shards == 1:
        return [(category, list(boards))]
    names = shard_names(category, shards)
    return [(name, [shard_boards(board, shards)[shard] for board in boards]) for shard, name in enumerate(names)]


def combine_states(states: Sequence[CopyState]) -> CopyState:
    """Return the state of a category from those of its shards: it is as good as the worst of them.

    Shards of several epochs are not ready. A window counts as written if it is in every shard, as readers require of
    closed ones.
    """
    epochs = {state.epoch for state in states}
    is_whole = len(epochs) == 1
    return CopyState(
        epoch=None if None in epochs else states[0].epoch,
        is_of_this_run=all(state.is_of_this_run for state in states),
        is_ready=is_whole and all(state.is_ready for state in states),
        origin=states[0].origin,
        repaired_until=min(state.repaired_until for state in states),
        incomplete=sorted({window for state in states for window in state.incomplete}),
        written=sorted(set[str](states[0].written).intersection(*(state.written for state in states))),
        seen=list({transaction: None for state in states for transaction in state.seen}),
    )
