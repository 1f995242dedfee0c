"""The board index: write scores to the boards in Redis, and read views of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple
from uuid import UUID

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from app.domain.boards.board import TOP, Board, Version
from app.domain.instants import to_micros
from app.domain.ledger.posting import ScoreChange
from app.pubsub.channels.events import BoardMoved
from app.runtime import Runtime
from app.services.board_index.layout import RETENTION, BoardKeys, Keys, board_keys, window_epoch
from app.stores.redis_caller import RedisCaller

SCRIPT_FOLDER = Path(__file__).parent / "lua"

MICROSECONDS = 1_000_000
"""Microseconds per second."""

SEEN_SLOTS = 12
SEEN_SLOT_SECONDS = 10
"""Redis keeps the newest transaction of each of the last 12 intervals of 10 seconds in which it was written to."""

PACKED_ROW = Struct(">HBqQQ16s")
"""A row as `put.lua` takes it: board, visible, sort key, revision, reached_at, user id."""

ViewRequest = tuple[str, bytes | int, bytes | int | str]
"""A view to read, as `views.lua` takes it: kind, first and second argument."""


class BoardNotLoaded(Exception):
    """Redis does not have the board, or only a copy that cannot be trusted: it must be read from PostgreSQL.

    The copy may be of another run of the server, or of another epoch, or incomplete. Open boards are rebuilt.
    """


def register_script(redis: Redis, *names: str) -> AsyncScript:
    """Return the script in these files, preceded by what all scripts of the board index have in common."""
    texts = [(SCRIPT_FOLDER / f"{part}.lua").read_text() for part in ("copy", *names)]
    return redis.register_script("\n".join(texts))


class Ranks(NamedTuple):
    """A user's 1-based ranks before and after a put; None if the user was or is not on the board."""

    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class PutResult:
    """The effects of a put: the ranks of every row, in the order of the rows, and the boards that changed."""

    ranks: Sequence[Ranks]
    moves: Sequence[BoardMoved]


@dataclass(frozen=True, slots=True)
class ViewsReply:
    """The reply of `views.lua`: version and total of the board, and each view as the script returns it."""

    version: Version
    changed_at: int
    total: int
    views: Sequence[Sequence[Any]]


class BoardIndex:
    """The copies of live boards. Every call has a time limit; it raises RedisUnreachable if Redis does not answer.

    `SplitBoardIndex` extends it for categories that are divided over several shards.
    """

    def __init__(
        self,
        redis: Redis,
        redis_caller: RedisCaller,
        keys: Keys,
        runtime: Runtime,
    ) -> None:
        self._redis = redis
        self._redis_caller = redis_caller
        self._keys = keys
        self._runtime = runtime
        self._put = register_script(redis, "put")
        self._load = register_script(redis, "load")
        self._views = register_script(redis, "positions", "views")

    @property
    def refuses_writes(self) -> bool:
        """Whether Redis has refused a write and has accepted none since."""
        return self._redis_caller.refuses_writes

    async def put(self, score_changes: Sequence[ScoreChange], transaction_id: UUID | None = None) -> PutResult:
        """Store rows of one category, publish which boards changed, and return the ranks before and after.

        Rows are absolute and guarded by their revision, so that a repeated put changes nothing.

        Args:
            score_changes: The rows.
            transaction_id: The newest transaction that the rows come from, to find out later whether PostgreSQL still
                has it.

        Raises:
            BoardNotLoaded: The category is not loaded.
        """
        category = score_changes[0].board.category
        channel = board_keys(self._keys, score_changes[0].board).channel
        keys, arguments = self._put_arguments(score_changes, transaction_id, channel)
        answer = await self._redis_caller(lambda: self._put(keys=keys, args=arguments), writes=True)
        if answer is None:
            raise BoardNotLoaded(category)
        flat, changes = answer
        return PutResult(
            [Ranks(flat[i] or None, flat[i + 1] or None) for i in range(0, len(flat), 2)],
            [
                BoardMoved(
                    f"{category}/{window.decode()}",
                    Version(epoch.decode(), version),
                    top_moved == 1,
                    changed_at=int(changed_at) / MICROSECONDS,
                )
                for window, version, top_moved, epoch, changed_at in changes
            ],
        )

    async def load(self, board: Board, epoch: str, packed_rows: bytes) -> None:
        """Store rows of a board without publishing changes, while `epoch` is being loaded.

        Args:
            board: The board.
            epoch: The epoch.
            packed_rows: Rows as `read_packed_rows` returns them and `load.lua` takes them.

        Raises:
            BoardNotLoaded: The epoch is over.
        """
        keys, arguments = self._load_arguments(board, epoch, packed_rows)
        if await self._redis_caller(lambda: self._load(keys=keys, args=arguments), writes=True) is None:
            raise BoardNotLoaded(board.category)

    async def views(self, board: Board, requests: Iterable[ViewRequest]) -> ViewsReply:
        """Read all `requests` at one version. Raises BoardNotLoaded."""
        arguments: list[Any] = [board.window.key]
        for request in requests:
            arguments += request
        keys = [self._keys.meta(board.category), self._keys.order(board), self._keys.members(board)]
        answer = await self._redis_caller(lambda: self._views(keys=keys, args=arguments))
        if answer is None:
            raise BoardNotLoaded(board.category)
        epoch, number, changed_at, total, *views = answer
        if total == 0 and board.window.is_closed(self._runtime.clock()):
            raise BoardNotLoaded(board.category)  # A window that was evicted looks like an empty one.
        return ViewsReply(Version(window_epoch(epoch.decode(), board), int(number)), int(changed_at), total, views)

    async def probe(self, category: str) -> None:
        """Write to the server that has a category, to find out whether it accepts writes."""
        await self._redis_caller(lambda: self._redis.set(self._keys.probe(category), 1, ex=60), writes=True)

    async def version(self, board: Board) -> Version:
        """Read the version of a board. Raises BoardNotLoaded."""
        return (await self.views(board, ())).version

    def _load_arguments(self, board: Board, epoch: str, packed_rows: bytes) -> tuple[list[str], list[Any]]:
        """Return the keys and the arguments of `load.lua`."""
        names = board_keys(self._keys, board)
        expiry, _ = _lifetime(names, self._runtime.clock())
        return [names.meta, names.order, names.members, names.digests], [epoch, names.window, expiry, packed_rows]

    def _put_arguments(
        self, score_changes: Sequence[ScoreChange], transaction_id: UUID | None, channel: str
    ) -> tuple[list[str], list[Any]]:
        """Return the keys and the arguments of `put.lua`."""
        boards = list(dict.fromkeys(change.board for change in score_changes))
        number = {board: index for index, board in enumerate(boards, 1)}
        now = self._runtime.clock()
        keys = [board_keys(self._keys, boards[0]).meta]
        seen = ("", "") if transaction_id is None else (_seen_field(now), str(transaction_id))
        arguments: list[Any] = [channel, to_micros(now), TOP, *seen, len(boards)]
        for board in boards:
            names = board_keys(self._keys, board)
            keys += (names.order, names.members, names.digests)
            arguments += (names.window, *_lifetime(names, now))
        arguments.append(b"".join(_pack(change, number[change.board]) for change in score_changes))
        return keys, arguments


def _seen_field(now: datetime) -> str:
    return f"seen:{int(now.timestamp() / SEEN_SLOT_SECONDS) % SEEN_SLOTS}"


def _lifetime(names: BoardKeys, now: datetime) -> tuple[int, int]:
    """Return the seconds until a board leaves Redis (at least 1; 0: never), and 1 if its window is closed, else 0."""
    if names.ends_at is None:
        return 0, 0
    # A minute more than it is read for, so that readers never find a part of it.
    return max(1, int((names.ends_at + RETENTION - now).total_seconds()) + 60), int(now >= names.ends_at)


def _pack(change: ScoreChange, board: int) -> bytes:
    row = change.row
    user_id = change.user_id.bytes
    return PACKED_ROW.pack(board, not row.hidden, change.sort_key, row.revision, to_micros(row.reached_at), user_id)
