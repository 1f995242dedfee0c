"""Read boards from PostgreSQL: when Redis is unavailable, and for what the index does not hold.

That is windows past their retention, and boards as they were at an instant in the past.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards.assign_ranks import BoardSlice, RankedRow, assign_ranks
from app.domain.boards.board import TOP, Board, Source, Version
from app.domain.boards.views import After, Around, Before, Head, Player, Position, Slice, State, UserSelection, View
from app.domain.errors import BadUserInput
from app.models.statements.boards import past_boards
from app.models.statements.boards.read_boards import count_before, read_slices, read_standings
from app.models.statements.retention.archived_months import read_archived_until
from app.runtime import Runtime
from app.services.board_index.layout import window_epoch
from app.services.boards.assemble import ViewAssembler, ViewSlices
from app.services.players.profile_cache import ProfileCache
from app.stores.bulkhead import Bulkhead
from app.stores.postgres import Database
from app.stores.replicas import Replicas

Connections = Database | Replicas | Bulkhead
"""What lends connections for reading."""


class PostgresReader:
    """Reads views from the tables of scores and transactions. Raises ServiceUnavailable.

    PostgreSQL has no versions of boards, so each read gets the next number of this process, in an epoch of its own.
    """

    def __init__(
        self,
        database: Connections,
        deep: Connections,
        past: Connections,
        profiles: ProfileCache,
        runtime: Runtime,
        epoch: str,
    ) -> None:
        """Create a reader.

        Args:
            database: Reads the heads of current boards, which wait for nothing else.
            deep: Reads the rest of current boards, from the primary, so that users see their own changes.
            past: Reads boards of the past.
            profiles: The names and pictures of users.
            runtime: The clock.
            epoch: The epoch of all versions.
        """
        self._database = database
        self._deep = deep
        self._past = past
        self._profiles = profiles
        self._runtime = runtime
        self._epoch = epoch
        self._reads = 0

    async def read(self, board: Board, views: Sequence[View[Any]]) -> list[State]:
        """Read the state of each view in one snapshot, with at most two scans of the board.

        Raises RateLimited if there are too many reads of this kind, except of heads.
        """
        version = self._next_version(board)
        async with self._connections(board, views).snapshot() as connection:
            await _require_ledger(connection, board)
            views_with_slices, total = await _read_slices(connection, board, views)
        return await self._assembler(board, version, total).states(views_with_slices, self._profiles)

    async def standings(self, board: Board, users: Sequence[UUID]) -> tuple[ViewAssembler, list[RankedRow | None]]:
        """Read the ranked row of each user, None for a user without a score."""
        version = self._next_version(board)
        async with self._connections(board).snapshot() as connection:
            await _require_ledger(connection, board)
            slices, total = await _read_standings(connection, board, users)
        ranked = [assign_ranks(slice_)[0] if slice_ else None for slice_ in slices]
        return self._assembler(board, version, total), ranked

    def _connections(self, board: Board, views: Sequence[View[Any]] = ()) -> Connections:
        if board.is_past(self._runtime.clock()):
            return self._past
        heads = [isinstance(view, Head) or (isinstance(view, Slice) and view.is_in_head) for view in views]
        return self._database if heads and all(heads) else self._deep

    def _next_version(self, board: Board) -> Version:
        self._reads += 1
        return Version(window_epoch(self._epoch, board), self._reads)

    def _assembler(self, board: Board, version: Version, total: int) -> ViewAssembler:
        now = self._runtime.clock()
        until = board.as_of or min(board.window.ends_at or now, now)
        return ViewAssembler(board, version, until, Source.POSTGRES, total)


async def _require_ledger(connection: AsyncConnection, board: Board) -> None:
    """Raise BadUserInput for a board of the past that transactions in archive files decide."""
    if board.as_of is not None and (until := await read_archived_until(connection)) and board.as_of < until:
        raise BadUserInput(f"`at` must be {until.isoformat()} or later: earlier transactions were archived.")


async def _read_slices(
    connection: AsyncConnection, board: Board, views: Sequence[View[Any]]
) -> tuple[list[ViewSlices], int]:
    """Read the slices of each view, and the number of visible users."""
    users = list({user_id: None for view in views for user_id in _users(view)})
    standings: list[BoardSlice | None] = []
    total = 0
    if any(not isinstance(view, Head | Slice | After) for view in views):
        standings, total = await _read_standings(connection, board, users)
    by_user = {user_id: slice_ for user_id, slice_ in zip(users, standings, strict=True) if slice_}
    ranges = {view: await _range(connection, board, view, by_user, total) for view in views}
    slices: dict[tuple[int, int], BoardSlice] = {}
    if wanted := list(dict.fromkeys(one for one in ranges.values() if one)):
        read, total = await (read_slices if board.as_of is None else past_boards.read_past_slices)(
            connection, board, wanted
        )
        slices = dict(zip(wanted, read, strict=True))
    found: list[ViewSlices] = []
    for view in views:
        if (one := ranges[view]) is not None:
            found.append((view, [slices[one]]))
        else:
            found.append((view, [by_user[user_id] for user_id in _users(view) if user_id in by_user]))
    return found, total


def _users(view: View[Any]) -> Collection[UUID]:
    """Return the users whose standings a view shows, or depends on."""
    match view:
        case Player(user_id) | Around(user_id, _):
            return (user_id,)
        case UserSelection(users):
            return users
    return ()


async def _range(
    connection: AsyncConnection, board: Board, view: View[Any], by_user: Mapping[UUID, BoardSlice], total: int
) -> tuple[int, int] | None:
    """Return the offset and limit of the slice that a view shows; None if it shows standings only."""
    match view:
        case Head():
            return 0, TOP
        case Slice(offset, limit):
            return offset, limit
        case After(position, limit):
            return await _count_before(connection, board, position, through=True), limit
        case Before(position, limit):
            stop = total if position is None else await _count_before(connection, board, position)
            first = max(0, stop - limit)
            return first, stop - first
        case Around(user_id, radius) if user_id in by_user:
            size = 2 * radius + 1
            return max(0, min(by_user[user_id].offset - radius, total - size)), size
        case Around() | Player() | UserSelection():
            return None
    raise TypeError(view)


async def _read_standings(
    connection: AsyncConnection, board: Board, users: Sequence[UUID]
) -> tuple[list[BoardSlice | None], int]:
    read = read_standings if board.as_of is None else past_boards.read_past_standings
    return await read(connection, board, users)


async def _count_before(connection: AsyncConnection, board: Board, position: Position, *, through: bool = False) -> int:
    if board.as_of is None:
        return await count_before(connection, board, position, through=through)
    (count,), _ = await past_boards.count_before_past(connection, board, [position], through=through)
    return count
