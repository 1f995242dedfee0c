"""The statements that read and write the catalogue as documents, and record its changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.catalogue.changes import CatalogueSubject, Change, Document, RecordedChange
from app.models.advisory_locks import AdvisoryLock, lock_until_commit

_COLUMNS: Mapping[CatalogueSubject, Mapping[str, str]] = {
    CatalogueSubject.CATEGORY: {
        "id": "id",
        "name": "name",
        "description": "description",
        "sortOrder": "sort_order",
        "operator": "operator",
        "scoreCap": "score_cap",
        "scoreFormat": "score_format",
        "periods": "periods",
        "enabled": "enabled",
        "entryMetadata": "entry_metadata",
        "shards": "shards",
    },
    CatalogueSubject.ACTION: {
        "id": "id",
        "name": "name",
        "description": "description",
        "category": "category_id",
        "kind": "kind",
        "points": "points",
        "difficulties": "difficulties",
        "minValue": "min_value",
        "maxValue": "max_value",
        "repeatable": "repeatable",
        "minDuration": "min_duration",
        "cooldown": "cooldown",
        "dailyLimit": "daily_limit",
        "enabled": "enabled",
    },
}
_TABLES = {CatalogueSubject.CATEGORY: "categories", CatalogueSubject.ACTION: "actions"}
_CASTS = {"difficulties": "jsonb", "periods": "varchar[]", "scoreFormat": "jsonb"}

SELECT_HIGHEST_SCORE = text("SELECT max(score) FROM scores WHERE category_id = :category AND period = 'ALL_TIME'")

INSERT_CHANGE = text(
    """
    INSERT INTO catalogue_changes (id, subject, subject_id, before, after, actor_id, actor_role, reason, created_at)
    VALUES (:id, :subject, :subject_id, CAST(:before AS jsonb), CAST(:after AS jsonb), :actor_id, :actor_role,
            :reason, :created_at)
    """
)

_CHANGES = "SELECT id, subject, before, after, actor_id, actor_role, reason, created_at FROM catalogue_changes"
SELECT_CHANGE = text(f"{_CHANGES} WHERE id = :id")
SELECT_CHANGES = text(
    f"""{_CHANGES} WHERE CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid) ORDER BY id DESC LIMIT :limit"""
)


async def lock_catalogue(connection: AsyncConnection) -> None:
    """Lock the catalogue against other changes until the end of the transaction, after waiting for them."""
    await lock_until_commit(connection, AdvisoryLock.CATALOGUE)


async def read_document(connection: AsyncConnection, subject: CatalogueSubject, subject_id: object) -> Document | None:
    """Return a category or action; None if the id does not exist."""
    statement = text(f"{_select_statement(subject)} WHERE id = :id")
    row = (await connection.execute(statement, {"id": str(subject_id)})).one_or_none()
    return None if row is None else dict(row._mapping)


async def read_documents(connection: AsyncConnection, subject: CatalogueSubject) -> Sequence[Document]:
    """Return all categories or actions, in order of id."""
    rows = await connection.execute(text(f'{_select_statement(subject)} ORDER BY id COLLATE "C"'))
    return [dict(row._mapping) for row in rows]


async def highest_score(connection: AsyncConnection, category: str) -> int | None:
    """Return the highest all-time score in a category; None if there is none."""
    highest: int | None = (await connection.execute(SELECT_HIGHEST_SCORE, {"category": category})).scalar_one()
    return highest


async def write_document(connection: AsyncConnection, subject: CatalogueSubject, document: Document) -> None:
    """Create or replace a category or action."""
    columns = _COLUMNS[subject]
    values = ", ".join(f"CAST(:{name} AS {_CASTS[name]})" if name in _CASTS else f":{name}" for name in columns)
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns.values())
    statement = (
        f"INSERT INTO {_TABLES[subject]} ({', '.join(columns.values())}) VALUES ({values}) "  # noqa: S608 - constants
        f"ON CONFLICT (id) DO UPDATE SET {updates}"
    )
    parameters = dict(document)
    for name in parameters.keys() & {name for name, type_ in _CASTS.items() if type_ == "jsonb"}:
        parameters[name] = json.dumps(parameters[name])
    await connection.execute(text(statement), parameters)


async def record_change(connection: AsyncConnection, change: RecordedChange) -> None:
    """Record a change in the audit log."""
    before = change.change.before
    await connection.execute(
        INSERT_CHANGE,
        {
            "id": change.id,
            "subject": change.change.subject.value,
            "subject_id": change.change.id,
            "before": None if before is None else json.dumps(dict(before)),
            "after": json.dumps(dict(change.change.after)),
            "actor_id": change.actor_id,
            "actor_role": change.actor_role,
            "reason": change.reason,
            "created_at": change.at,
        },
    )


async def read_changes(connection: AsyncConnection, before: UUID | None, limit: int) -> list[RecordedChange]:
    """Return the newest changes with an id below `before`, the newest first."""
    rows = await connection.execute(SELECT_CHANGES, {"before": before, "limit": limit})
    return [_recorded_change(row) for row in rows]


async def find_change(connection: AsyncConnection, change_id: UUID) -> RecordedChange | None:
    """Return the change with this id; None if there is none."""
    row = (await connection.execute(SELECT_CHANGE, {"id": change_id})).one_or_none()
    return None if row is None else _recorded_change(row)


def _recorded_change(row: Row[Any]) -> RecordedChange:
    change = Change(CatalogueSubject(row.subject), row.before, row.after)
    return RecordedChange(row.id, change, row.actor_id, row.actor_role, row.reason, row.created_at)


def _select_statement(subject: CatalogueSubject) -> str:
    columns: Any = ", ".join(f'{column} AS "{name}"' for name, column in _COLUMNS[subject].items())
    return f"SELECT {columns} FROM {_TABLES[subject]}"  # noqa: S608 - constants
