"""Load categories into Redis, and examine what is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from redis.asyncio import Redis

from app.domain.boards.board import Board
from app.domain.boards.digests import BoardDigests
from app.domain.boards.periods import parse_window
from app.domain.instants import from_micros, to_micros
from app.services.board_index.index import register_script
from app.services.board_index.layout import Keys, is_evicted, split_member, window_of_field
from app.stores.redis_caller import RedisCaller


@dataclass(frozen=True, slots=True)
class CopyState:
    """What Redis has of a category.

    Attributes:
        epoch: The epoch of the copies; None if there is none.
        is_of_this_run: Whether they were written to the present run of the server: a restart may restore a dump.
        is_ready: Whether they were loaded whole.
        origin: The PostgreSQL that they were loaded from.
        repaired_until: They have everything that was committed before.
        incomplete: The windows that are no longer whole, because something was evicted or deleted.
        written: The windows that somebody was put on in this epoch.
        seen: Transactions that were put, among them the newest one.
    """

    epoch: str | None
    is_of_this_run: bool
    is_ready: bool
    origin: str
    repaired_until: datetime
    incomplete: Sequence[str]
    written: Sequence[str]
    seen: Sequence[UUID]

    @property
    def is_loaded(self) -> bool:
        """Whether readers trust those copies that are not incomplete."""
        return self.is_of_this_run and self.is_ready

    @property
    def fault(self) -> str | None:
        """Why the category must be loaded; None if it is loaded whole."""
        if self.epoch is None:
            return "missing"
        if not self.is_of_this_run:
            return "other_run"
        if not self.is_ready:
            return "not_ready"
        return "incomplete" if self.incomplete else None


class IndexLoader:
    """Loads and examines categories. Every call raises RedisUnreachable if Redis does not answer."""

    def __init__(self, redis: Redis, redis_caller: RedisCaller, keys: Keys) -> None:
        self._redis = redis
        self._redis_caller = redis_caller
        self._keys = keys
        self._begin = register_script(redis, "begin")
        self._amend = register_script(redis, "amend")
        self._examine = register_script(redis, "examine")
        self._remove = register_script(redis, "remove")
        self._unlock = register_script(redis, "unlock")

    async def examine(self, category: str, boards: Iterable[Board] = ()) -> CopyState:
        """Return the state of a category, and which of `boards` are incomplete."""
        known = list(boards)
        keys, windows = self._keys_of(category, known), [board.window.key for board in known]
        answer = await self._redis_caller(lambda: self._examine(keys=keys, args=windows))
        epoch, of_this_run, ready, origin, repaired, incomplete, written, seen = answer
        return CopyState(
            None if epoch is None else epoch.decode(),
            bool(of_this_run),
            bool(ready),
            origin.decode(),
            from_micros(int(repaired)),
            [window.decode() for window in incomplete],
            [window.decode() for window in written],
            [UUID(one.decode()) for one in seen],
        )

    async def begin(self, category: str, boards: Iterable[Board], epoch: str, origin: str, now: datetime) -> None:
        """Delete the boards of a category and begin a new epoch. Puts are accepted from now on, reads after `finish`.

        Args:
            category: The category.
            boards: All boards that Redis may have of it; those that are not loaded afterwards count as absent.
            epoch: The new epoch.
            origin: The PostgreSQL that the rows come from.
            now: The time from which on committed rows are put by their writers.
        """
        known = list(boards)
        keys = [*self._keys_of(category, known), *map(self._keys.digests, known)]
        await self._redis_caller(lambda: self._begin(keys=keys, args=[epoch, origin, to_micros(now)]), writes=True)

    async def finish(self, category: str, epoch: str) -> bool:
        """Mark the category as loaded, so that it is read; return False if the epoch is over."""
        return await self._set(category, epoch, "ready", 1)

    async def set_repaired(self, category: str, epoch: str, until: datetime) -> bool:
        """Record that the copies have everything that was committed before `until`, unless the epoch is over."""
        return await self._set(category, epoch, "repaired", to_micros(until))

    async def delete_evicted_versions(self, category: str, now: datetime) -> None:
        """Delete the versions of boards that were evicted."""
        meta = self._keys.meta(category)
        fields = [raw.decode() for raw in await self._redis_caller(lambda: self._redis.hkeys(meta))]
        gone = [field for field in fields if (window := window_of_field(field)) and _is_evicted(category, window, now)]
        if gone:
            await self._redis_caller(lambda: self._redis.hdel(meta, *gone), writes=True)

    async def lock(self, category: str, owner: str, seconds: int) -> bool:
        """Acquire the rebuild lock of a category for `seconds`, or extend it; return whether `owner` has it."""
        key = self._keys.rebuild_lock(category)
        holder: bytes | None = await self._redis_caller(
            lambda: self._redis.set(key, owner, nx=True, get=True, ex=seconds), writes=True
        )
        if holder is None:
            return True
        if holder != owner.encode():
            return False
        return bool(await self._redis_caller(lambda: self._redis.expire(key, seconds), writes=True))

    async def unlock(self, category: str, owner: str) -> None:
        """Release the rebuild lock of a category if `owner` still has it."""
        key = self._keys.rebuild_lock(category)
        await self._redis_caller(lambda: self._unlock(keys=[key], args=[owner]), writes=True)

    async def size(self, board: Board) -> int:
        """Count the visible users of a board in Redis."""
        shown: int = await self._redis_caller(lambda: self._redis.zcard(self._keys.order(board)))
        return shown

    async def digests(self, board: Board) -> tuple[int, BoardDigests]:
        """Read the number of rows of a board in Redis, hidden ones included, and their digests."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.hlen(self._keys.members(board))
        pipe.hgetall(self._keys.digests(board))
        rows, sums = await self._redis_caller(pipe.execute)
        return rows, BoardDigests({int(bucket): int(digest) for bucket, digest in sums.items()})

    async def leaders(self, board: Board, count: int) -> list[UUID]:
        """Read the first users of a board in Redis, in order."""
        members = await self._redis_caller(lambda: self._redis.zrange(self._keys.order(board), 0, count - 1))
        return [split_member(member)[1] for member in members]

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

    async def remove_users(self, board: Board, user_ids: Iterable[UUID]) -> None:
        """Remove users from a board in Redis, unless it is incomplete."""
        keys = [*self._keys_of(board.category, [board]), self._keys.digests(board)]
        arguments: list[str | bytes] = [board.window.key, *(user_id.bytes for user_id in user_ids)]
        await self._redis_caller(lambda: self._remove(keys=keys, args=arguments), writes=True)

    async def _set(self, category: str, epoch: str, field: str, value: int) -> bool:
        keys = [self._keys.meta(category)]
        done = await self._redis_caller(lambda: self._amend(keys=keys, args=[epoch, field, value]), writes=True)
        return bool(done)

    def _keys_of(self, category: str, boards: Iterable[Board]) -> list[str]:
        keys = [self._keys.meta(category)]
        for board in boards:
            keys += (self._keys.order(board), self._keys.members(board))
        return keys


def _is_evicted(category: str, window: str, now: datetime) -> bool:
    return is_evicted(Board(category, parse_window(window)), now)
