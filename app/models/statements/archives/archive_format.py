"""The format of archives: rows of tables as JSON Lines, one object each, `{"user": {column: value, …}}`.

Bytes are hexadecimal; times are in ISO 8601 with microseconds. The columns are those of the models, so that a new
column is part of the archive automatically; a column that an older archive does not have gets its default. Addresses
and user agents of transactions are not part of it, only the commitments to them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, DateTime, LargeBinary, Table, Uuid, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.transactions import Actor, Kind, Transaction
from app.models import (
    Action,
    ActionToken,
    Base,
    CatalogueChange,
    Category,
    EntryMetadata,
    Flag,
    ReachedMilestone,
    ScoreTransaction,
    User,
)

FORMAT = 2
"""The version of the format, increased when versions of the program cannot read each other's archives."""


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one table in an archive.

    Attributes:
        name: The key of each line.
        model: The table.
        order: The columns by which the lines are sorted.
        condition: Which rows are part of the archive; None for all.
    """

    name: str
    model: type[Base]
    order: tuple[str, ...]
    condition: ColumnElement[bool] | None = None

    @property
    def table(self) -> Table:
        """The table."""
        table = self.model.__table__
        assert isinstance(table, Table)
        return table


PARTS = (
    Part("category", Category, ("id",)),
    Part("action", Action, ("id",)),
    Part("user", User, ("id",)),
    Part("transaction", ScoreTransaction, ("user_id", "seq")),
    # Only used tokens, which the ledger refers to: the others expire in minutes and are useless elsewhere.
    Part("token", ActionToken, ("token_hash",), ActionToken.used_at.is_not(None)),
    Part("flag", Flag, ("id",)),
    Part("metadata", EntryMetadata, ("user_id", "category_id", "reached_at", "period")),
    Part("milestone", ReachedMilestone, ("user_id", "category_id", "kind", "threshold")),
    Part("change", CatalogueChange, ("id",)),
)
"""The parts in the order of the lines: referenced rows come first. Scores are not exported but computed."""


async def count_rows(connection: AsyncConnection, part: Part) -> int:
    """Return the number of rows of a part."""
    statement = select(func.count()).select_from(part.table)
    rows: int = (await connection.execute(_filtered(statement, part))).scalar_one()
    return rows


async def stream_lines(connection: AsyncConnection, part: Part) -> AsyncIterator[bytes]:
    """Yield every row of a part as a line, in order; a few thousand rows are in memory at a time."""
    statement = _filtered(select(part.table), part).order_by(*(part.table.c[name] for name in part.order))
    binary = {column.name for column in part.table.c if isinstance(column.type, LargeBinary)}
    async with connection.stream(statement, execution_options={"yield_per": 2000}) as rows:
        async for row in rows:
            values = dict(row._mapping)
            for name in binary:
                values[name] = _hex(values[name])
            yield orjson.dumps({part.name: values}, default=_to_json, option=orjson.OPT_APPEND_NEWLINE)


def decoders(part: Part) -> Mapping[str, Callable[[Any], Any]]:
    """Return by column the function that converts a value of a line, other than null, for COPY."""
    return {column.name: _decoder(column.type) for column in part.table.c}


def transaction_of(values: Mapping[str, Any]) -> Transaction:
    """Return the transaction of a decoded line. Raises KeyError or ValueError for an invalid one."""
    return Transaction(
        id=values["id"],
        user_id=values["user_id"],
        seq=values["seq"],
        category_id=values["category_id"],
        action_id=values["action_id"],
        kind=Kind(values["kind"]),
        points=values["points"],
        delta=values["delta"],
        score=values["score"],
        token_hash=values["token_hash"],
        request_key=values["request_key"],
        request_hash=values["request_hash"],
        actor=Actor(
            values["actor_id"], values["actor_role"], values["address_commitment"], values["user_agent_commitment"]
        ),
        reason=values["reason_commitment"],
        created_at=values["created_at"],
        previous_hash=values["previous_hash"],
    )


def _filtered(statement: Any, part: Part) -> Any:
    return statement if part.condition is None else statement.where(part.condition)


def _decoder(type_: object) -> Callable[[Any], Any]:
    match type_:
        case Uuid():
            return UUID
        case DateTime():
            return datetime.fromisoformat
        case LargeBinary():
            return bytes.fromhex
        case JSONB():
            return lambda value: orjson.dumps(value).decode()
        case _:
            return lambda value: value


def _to_json(value: object) -> str:
    if isinstance(value, UUID):  # The driver uses a subclass.
        return str(value)
    raise TypeError(type(value).__name__)


def _hex(raw: bytes | None) -> str | None:
    return None if raw is None else raw.hex()
