"""A model of Redis at the interface of the board index: boards guarded by revisions, versions, and channels."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from broadcaster import BroadcastBackend, Event

from app.domain.boards.board import Board, Entry, Page, Source, UserStanding, Version
from app.domain.boards.overtaking import UserView
from app.domain.boards.views import Head, Player, State, View
from app.domain.ledger.posting import ScoreChange
from app.domain.ledger.scoring import ScoreRow
from app.domain.users import Profile
from app.pubsub.channels.channel_connection import Gap
from app.pubsub.channels.events import BoardMoved
from app.services.board_index import BoardNotLoaded, PutResult, Ranks
from app.stores.redis_caller import RedisUnreachable
from tests.simulation.model_postgres import ModelDatabase, ModelPostgres
from tests.simulation.network import Network, Unreachable

T = TypeVar("T")

Rows = dict[UUID, ScoreRow]


@dataclass
class Copy:
    """The copy of a board."""

    version: Version
    rows: Rows = field(default_factory=dict)


class ModelRedis:
    """The server: the copies of the boards of one category, and the queues of those who listen to its channels."""

    def __init__(self, postgres: ModelPostgres) -> None:
        self.copies: dict[Board, Copy] = {}
        self.loaded = False
        self.listeners: list[ModelBackend] = []
        self.old: dict[Board, Copy] = {}
        """The copies as they were, which a read may still find: a replica that is behind answers."""
        self._postgres = postgres
        self._epochs = 0

    @property
    def epoch(self) -> str:
        """The epoch of the copies."""
        return f"rebuilt-{self._epochs}"

    @property
    def profiles(self) -> dict[UUID, Profile]:
        """The profiles of all users: a copy of them is not modelled."""
        return self._postgres.tables.profiles

    def restart(self) -> None:
        """Lose everything, and the connections of all listeners."""
        self.copies.clear()
        self.old.clear()
        self.loaded = False
        for listener in self.listeners:
            listener.lose()

    def rebuild(self) -> list[BoardMoved]:
        """Copy every board from PostgreSQL under a new epoch, and say so."""
        self._epochs += 1
        self.copies = {
            board: Copy(Version(self.epoch, 1), dict(rows)) for board, rows in self._postgres.tables.rows.items()
        }
        self.old.clear()
        self.loaded = True
        moves = [BoardMoved(board.key, copy.version) for board, copy in self.copies.items()]
        self.publish(moves)
        return moves

    def put(self, changes: Sequence[ScoreChange]) -> PutResult:
        """Take the rows that are newer, and say which boards have changed."""
        if not self.loaded:
            raise BoardNotLoaded(changes[0].board.category)
        ranks, moved = [], {}
        for change in changes:
            copy = self.copy(change.board)
            before = _rank(copy.rows, change.user_id)
            known = copy.rows.get(change.user_id)
            if known is None or known.revision < change.row.revision:
                copy.rows[change.user_id] = change.row
                copy.version = Version(copy.version.epoch, copy.version.number + 1)
                moved[change.board.key] = BoardMoved(change.board.key, copy.version)
            ranks.append(Ranks(before, _rank(copy.rows, change.user_id)))
        self.publish(list(moved.values()))
        return PutResult(ranks, list(moved.values()))

    def copy(self, board: Board) -> Copy:
        """Return the copy of a board; a board without rows has an empty one."""
        if not self.loaded:
            raise BoardNotLoaded(board.category)
        return self.copies.setdefault(board, Copy(Version(self.epoch, 0)))

    def remember(self) -> None:
        """Keep the copies as they are now, for reads that find an old state."""
        self.old = deepcopy(self.copies)

    def publish(self, moves: Sequence[BoardMoved]) -> None:
        """Send change notifications."""
        for move in moves:
            category, window = move.board.split("/")
            row = [window, move.version.number, move.top_moved, move.version.epoch]
            self.send(f"boards:{category}", json.dumps({"boards": [row]}))

    def send(self, channel: str, message: str) -> None:
        """Send a message to every listener."""
        for listener in self.listeners:
            listener.deliver(channel, message)


class ModelBackend(BroadcastBackend):
    """The channels of one process: messages arrive in order, after a while, or not at all; then a gap follows."""

    def __init__(self, server: ModelRedis, network: Network, random: Random) -> None:
        self.deaf = False
        """Whether the connection is dead, and nobody has noticed yet."""
        self._server = server
        self._network = network
        self._random = random
        self._wanted: set[str] = set()
        self._events: asyncio.Queue[tuple[float, Event]] = asyncio.Queue()
        server.listeners.append(self)

    async def connect(self) -> None: ...

    async def disconnect(self) -> None: ...

    async def subscribe(self, group: str) -> None:
        self._wanted.add(group)
        self._put(Gap(group))

    async def unsubscribe(self, group: str) -> None:
        self._wanted.discard(group)

    async def publish(self, channel: str, message: Any) -> None:
        async def execute() -> None:
            self._server.send(channel, message)

        try:
            await self._network.call(execute)
        except Unreachable:
            raise TimeoutError from None

    async def next_published(self) -> Event:
        arrives, event = await self._events.get()
        await asyncio.sleep(max(0.0, arrives - asyncio.get_running_loop().time()))
        return event

    def deliver(self, channel: str, message: str) -> None:
        """Take a message of the server, or lose it with the connection."""
        if channel not in self._wanted or self.deaf:
            return
        if not self._network.up or self._network.has_trouble(0.5):
            self.lose()
        else:
            self._put(Event(channel, message))

    def lose(self) -> None:
        """Lose the connection: the next that arrives, some time later, is a gap on every channel."""
        self.deaf = False
        for channel in sorted(self._wanted):
            self._put(Gap(channel), self._random.uniform(0.1, 2.0))

    def _put(self, event: Event, delay: float = 0.0) -> None:
        delay += self._random.choice((0.0, 0.001, 0.03))
        self._events.put_nowait((asyncio.get_running_loop().time() + delay, event))


class ModelBoardIndex:
    """The board index of one process."""

    refuses_writes = False

    def __init__(self, server: ModelRedis, network: Network) -> None:
        self._server = server
        self._network = network

    async def put(self, score_changes: Sequence[ScoreChange], transaction_id: UUID | None = None) -> PutResult:
        """Put rows of one category."""

        async def execute() -> PutResult:
            return self._server.put(score_changes)

        return await _reached(self._network, execute)

    async def version(self, board: Board) -> Version:
        """Return the version of a board."""

        async def execute() -> Version:
            return self._server.copy(board).version

        return await _reached(self._network, execute)

    async def probe(self, category: str) -> None:
        """Find out whether Redis can be reached."""
        await _reached(self._network, _nothing)


async def _nothing() -> None: ...


class ModelRedisReader:
    """Reads the copies for one process. A read may find an old state: a replica that is behind answers."""

    def __init__(self, server: ModelRedis, network: Network) -> None:
        self._server = server
        self._network = network

    async def read(self, board: Board, views: Sequence[View[Any]]) -> list[State]:
        """Return the states of views, all of one version."""

        async def execute() -> list[State]:
            copy = self._server.copy(board)
            if self._network.has_trouble(0.5):
                copy = self._server.old.get(board, copy)
            return [_state(board, copy, Source.REDIS, view, self._server.profiles) for view in views]

        return await _reached(self._network, execute)


class ModelPostgresReader:
    """Reads boards from the tables for one process, under an epoch of its own."""

    def __init__(self, name: str, database: ModelDatabase) -> None:
        self._epoch = f"postgres-{name}"
        self._database = database

    async def read(self, board: Board, views: Sequence[View[Any]]) -> list[State]:
        """Return the states of views, all of one version."""

        async def execute() -> list[State]:
            tables = self._database.server.tables
            copy = Copy(Version(self._epoch, tables.commits), tables.rows[board])
            return [_state(board, copy, Source.POSTGRES, view, tables.profiles) for view in views]

        return await self._database.call(execute)


async def _reached(network: Network, execute: Callable[[], Awaitable[T]]) -> T:
    try:
        return await network.call(execute)
    except Unreachable:
        raise RedisUnreachable from None


def entries_of(rows: Rows, profiles: dict[UUID, Profile]) -> tuple[Entry, ...]:
    """Return the entries of a board, in its order."""
    ordered = _ordered(rows)
    scores = [row.score for row in rows.values()]
    return tuple(
        Entry(
            rank,
            1 + sum(score > row.score for score in scores),
            scores.count(row.score) - 1,
            row.score,
            row.reached_at,
            profiles[user],
        )
        for rank, (user, row) in enumerate(ordered, 1)
    )


def _ordered(rows: Rows) -> list[tuple[UUID, ScoreRow]]:
    return sorted(rows.items(), key=lambda item: (-item[1].score, item[1].reached_at, item[0]))


def _rank(rows: Rows, user: UUID) -> int | None:
    return next((rank for rank, (other, _) in enumerate(_ordered(rows), 1) if other == user), None)


def _state(board: Board, copy: Copy, source: Source, view: View[Any], profiles: dict[UUID, Profile]) -> State:
    entries = entries_of(copy.rows, profiles)
    match view:
        case Head():
            return Page(board, copy.version, datetime.min.replace(tzinfo=UTC), source, len(entries), entries)
        case Player(user_id):
            for entry in entries:
                if entry.user.id == user_id:
                    standing = UserStanding(
                        board, copy.version, user_id, len(entries), entry.score, entry.rank, entry.competition_rank,
                        entry.tied_with, entry.reached_at,
                    )  # fmt: skip
                    return UserView(standing, entry.user, entries[: entry.rank - 1])
            return UserView(UserStanding(board, copy.version, user_id, len(entries)))
    raise AssertionError(view)
