"""A model of PostgreSQL at the functions that load and store postings: their effect, their locks, their errors."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.exc import IntegrityError, OperationalError

from app.domain.boards.board import Board
from app.domain.boards.periods import Window
from app.domain.errors import ServiceUnavailable
from app.domain.ledger.activity import History
from app.domain.ledger.posting import Account, Activity, Head, Posting, ScoreChange, ScoreRequest, boards_for
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.scoring import ScoreRow
from app.domain.ledger.transactions import Transaction
from app.domain.players.milestones import Milestone
from app.domain.users import Profile
from app.models.statements.boards.copies import ABANDONED_AFTER_SECONDS, MissedWriteRow
from app.models.statements.events.committed_events import NewEvents
from app.models.statements.ledger.load_accounts import AccountState
from app.models.statements.ledger.store_postings import ChainMoved
from tests.simulation.network import Network, Unreachable

T = TypeVar("T")


class _Deadlock(Exception):
    sqlstate = "40P01"


@dataclass
class Tables:
    """What is committed."""

    profiles: dict[UUID, Profile] = field(default_factory=dict)
    heads: dict[UUID, Head] = field(default_factory=lambda: defaultdict(Head))
    owners: dict[bytes, UUID] = field(default_factory=dict)
    """The owners of action tokens."""
    transactions: list[Transaction] = field(default_factory=list)
    rows: dict[Board, dict[UUID, ScoreRow]] = field(default_factory=lambda: defaultdict(dict))
    milestones: set[tuple[UUID, str, str, int | None]] = field(default_factory=set)
    missed_writes: dict[tuple[UUID, str], MissedWriteRow] = field(default_factory=dict)
    """By instance and category."""
    commits: int = 0

    def by_token(self, token: bytes) -> Transaction | None:
        """Return the transaction that has consumed a token."""
        return next((one for one in self.transactions if one.token_hash == token), None)

    def by_key(self, key: str) -> Transaction | None:
        """Return the transaction with a request key."""
        return next((one for one in self.transactions if one.request_key == key), None)

    def of(self, user_id: UUID) -> list[Transaction]:
        """Return the chain of a user."""
        return [one for one in self.transactions if one.user_id == user_id]


class ModelPostgres:
    """The server: tables, and a lock per user, which a transaction holds until its end."""

    def __init__(self) -> None:
        self.tables = Tables()
        self._locks: dict[UUID, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def lock(self, users: Iterable[UUID], stack: AsyncExitStack) -> None:
        """Lock users in the order of their ids until the stack is closed."""
        for user in sorted(users):
            await stack.enter_async_context(self._locks[user])

    def check(self, postings: Sequence[Posting]) -> None:
        """Raise what the constraints and counts of the statement raise; the users are locked."""
        tables = self.tables
        for posting in postings:
            entry = posting.transaction
            if tables.heads[entry.user_id] != posting.head:
                raise ChainMoved
            if entry.token_hash is not None and (
                tables.owners.get(entry.token_hash) != entry.user_id or tables.by_token(entry.token_hash) is not None
            ):
                raise ChainMoved
            if entry.request_key is not None and tables.by_key(entry.request_key) is not None:
                raise IntegrityError("", {}, Exception("uq_score_transactions_request_key"))
            for change in posting.score_changes:
                row = tables.rows[change.board].get(change.user_id)
                if change.row.revision != (row.revision if row else 0) + 1:
                    raise ChainMoved

    def apply(self, postings: Sequence[Posting], milestones: Iterable[Milestone]) -> None:
        """Commit."""
        for posting in postings:
            entry = posting.transaction
            self.tables.heads[entry.user_id] = Head(entry.seq, entry.hash)
            self.tables.transactions.append(entry)
            for change in posting.score_changes:
                self.tables.rows[change.board][change.user_id] = change.row
        self.tables.milestones |= {_key(one) for one in milestones}
        self.tables.commits += 1


@dataclass
class Connection:
    """A session. Within a transaction, what is written is kept back until the commit, and locks are held."""

    database: ModelDatabase
    in_transaction: bool
    locks: AsyncExitStack = field(default_factory=AsyncExitStack)
    postings: list[Posting] = field(default_factory=list)
    milestones: list[Milestone] = field(default_factory=list)
    ended: bool = False

    async def lock(self, users: Iterable[UUID]) -> None:
        """Lock users until the end of the transaction, unless it has ended before the statement began."""
        await self.database.server.lock(users, self.locks)
        if self.ended:
            await self.end()
            raise Unreachable

    async def end(self) -> None:
        """End the transaction. What it has written and not committed is gone."""
        self.ended = True
        await self.locks.aclose()


class ModelDatabase:
    """The `Database` of one process: connections over a network of its own."""

    def __init__(self, server: ModelPostgres, network: Network) -> None:
        self.server = server
        self.network = network

    async def call(self, execute: Callable[[], Awaitable[T]]) -> T:
        """Execute a statement. Raises ServiceUnavailable without an answer."""
        try:
            return await self.network.call(execute)
        except Unreachable:
            raise ServiceUnavailable from None

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Connection]:
        """Yield a connection whose statements are transactions of their own."""
        yield Connection(self, in_transaction=False)

    connect = driver

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Connection]:
        """Yield a connection in a transaction."""
        connection = Connection(self, in_transaction=True)
        await self.call(_nothing)
        try:
            yield connection
        except BaseException:
            await connection.end()
            raise

        async def commit() -> None:
            if not connection.ended:
                self.server.apply(connection.postings, connection.milestones)
                await connection.end()

        try:
            await self.call(commit)
        except ServiceUnavailable:
            self.network.leave(self._roll_back_later(connection))
            raise

    async def _roll_back_later(self, connection: Connection) -> None:
        """End a transaction whose COMMIT has not arrived when the server misses the client."""
        await asyncio.sleep(5)
        await connection.end()


async def _nothing() -> None: ...


async def load(
    connection: Connection, requests: Sequence[ScoreRequest], now: datetime, max_history: int
) -> list[AccountState]:
    """Return the accounts of requests, all of one instant."""

    async def execute() -> list[AccountState]:
        return [_account_state(connection.database.server.tables, request, now) for request in requests]

    return await connection.database.call(execute)


async def store(connection: Connection, postings: Sequence[Posting], events: NewEvents = ()) -> None:
    """Store postings: all or none. Nothing here records events."""
    database = connection.database

    async def execute() -> None:
        if connection.in_transaction:
            await connection.lock({posting.transaction.user_id for posting in postings})
            database.server.check(postings)
            connection.postings += postings
            return
        async with AsyncExitStack() as stack:
            await database.server.lock({posting.transaction.user_id for posting in postings}, stack)
            database.server.check(postings)
            database.server.apply(postings, ())

    if database.network.has_trouble(0.2):
        raise OperationalError("", {}, _Deadlock())
    await database.call(execute)


async def lock_user(connection: Connection, user_id: UUID) -> None:
    """Lock a user until the end of the transaction."""
    await connection.database.call(lambda: connection.lock([user_id]))


async def receipt_by_token(connection: Connection, token_hash: bytes) -> Receipt | None:
    """Return the receipt of a token."""
    found = await _receipt(connection, lambda tables: tables.by_token(token_hash))
    return found[0] if found else None


async def receipt_by_request(connection: Connection, request_key: str) -> tuple[Receipt, bytes | None] | None:
    """Return the receipt of a request key, with the hash of the content."""
    return await _receipt(connection, lambda tables: tables.by_key(request_key))


async def read_rows_of_players(
    connection: Connection, players: Collection[tuple[UUID, str]], windows: Sequence[Window]
) -> list[ScoreChange]:
    """Return the rows of users in one category each."""
    tables = connection.database.server.tables

    async def execute() -> list[ScoreChange]:
        return [
            ScoreChange(board, user, row, -row.score)
            for board, rows in sorted(tables.rows.items(), key=lambda item: item[0].category)
            for user, row in rows.items()
            if board.window in windows and (user, board.category) in players
        ]

    return await connection.database.call(execute)


async def award(connection: Connection, milestones: Sequence[Milestone]) -> list[Milestone]:
    """Award milestones in a transaction, and return those that are new."""
    database = connection.database

    async def execute() -> list[Milestone]:
        new = [one for one in milestones if _key(one) not in database.server.tables.milestones]
        connection.milestones += new
        return new

    return await database.call(execute)


async def read_missed_writes(connection: Connection) -> list[MissedWriteRow]:
    """Return the missed writes of all instances."""
    database = connection.database

    async def execute() -> list[MissedWriteRow]:
        abandoned_before = _server_time() - timedelta(seconds=ABANDONED_AFTER_SECONDS)
        rows = database.server.tables.missed_writes.values()
        return [replace(row, abandoned=row.renewed_at < abandoned_before) for row in rows]

    return await database.call(execute)


async def renew_missed_writes(connection: Connection, instance: UUID, missed: Mapping[str, datetime]) -> None:
    """Insert or renew the missed writes of an instance."""
    missed_writes = connection.database.server.tables.missed_writes

    async def execute() -> None:
        for category, since in missed.items():
            known = missed_writes.get((instance, category))
            first = min(since, known.missed_since) if known else since
            missed_writes[instance, category] = MissedWriteRow(instance, category, first, _server_time(), False)

    await connection.database.call(execute)


async def delete_missed_writes(connection: Connection, instance: UUID, categories: Sequence[str]) -> None:
    """Delete what an instance has repaired."""

    async def execute() -> None:
        for category in categories:
            connection.database.server.tables.missed_writes.pop((instance, category), None)

    await connection.database.call(execute)


async def delete_abandoned(connection: Connection, row: MissedWriteRow) -> None:
    """Delete a row that was not renewed since it was read."""
    missed_writes = connection.database.server.tables.missed_writes

    async def execute() -> None:
        kept = missed_writes.get((row.instance_id, row.category_id))
        if kept is not None and kept.renewed_at == row.renewed_at:
            del missed_writes[row.instance_id, row.category_id]

    await connection.database.call(execute)


def _server_time() -> datetime:
    return datetime.fromtimestamp(asyncio.get_running_loop().time(), UTC)


async def _receipt(
    connection: Connection, find: Callable[[Tables], Transaction | None]
) -> tuple[Receipt, bytes | None] | None:
    tables = connection.database.server.tables

    async def execute() -> tuple[Receipt, bytes | None] | None:
        found = find(tables)
        if found is None:
            return None
        profile = tables.profiles[found.user_id]
        receipt = Receipt(found.id, profile, found.category_id or "", found.score - found.delta, found.score)
        return receipt, found.request_hash

    return await connection.database.call(execute)


def _account_state(tables: Tables, request: ScoreRequest, now: datetime) -> AccountState:
    chain = tables.of(request.user_id)
    done = [one.created_at for one in chain if request.action and one.action_id == request.action.id]
    midnight = datetime.combine(now.astimezone(UTC).date(), datetime.min.time(), tzinfo=UTC)
    boards = boards_for(request.category, now)
    rows = {board: tables.rows[board][request.user_id] for board in boards if request.user_id in tables.rows[board]}
    limit = (request.action.daily_limit if request.action else None) or 1
    today = min(limit, sum(at >= midnight for at in done))
    account = Account(
        profile=tables.profiles[request.user_id],
        head=tables.heads[request.user_id],
        rows=rows,
        activity=Activity(max(done, default=None), today, bool(done)),
        history=History(),
    )
    token, key = request.token_hash, request.request_key
    return AccountState(
        account,
        tables.owners.get(token) if token else None,
        token is not None and tables.by_token(token) is not None,
        key is not None and tables.by_key(key) is not None,
    )


def _key(milestone: Milestone) -> tuple[UUID, str, str, int | None]:
    return milestone.user.id, milestone.category, milestone.kind.value, milestone.threshold


BOUNDARY: dict[str, Any] = {
    "app.services.ledger.load.load": load,
    "app.services.ledger.store.store": store,
    "app.services.ledger.post.lock_user": lock_user,
    "app.services.ledger.repeats.receipt_by_token": receipt_by_token,
    "app.services.ledger.repeats.read_rows_of_players": read_rows_of_players,
    "app.services.ledger.repeats.receipt_by_request": receipt_by_request,
    "app.services.ledger.milestones.award": award,
    "app.services.board_index.missed_writes.read_missed_writes": read_missed_writes,
    "app.services.board_index.missed_writes.renew_missed_writes": renew_missed_writes,
    "app.services.board_index.missed_writes.delete_missed_writes": delete_missed_writes,
    "app.services.board_index.missed_writes.delete_abandoned": delete_abandoned,
}
"""The functions that the model replaces, by the names under which the services call them."""
