"""Statements that delete expired rows, a chunk at a time.

Each finds the oldest rows by an index, and skips rows that others have locked, so that it is short however many rows
there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

CHUNK_SIZE = 5000
"""Rows that one statement deletes at most."""


@dataclass(frozen=True, slots=True)
class ExpiredRows:
    """What is deleted from one table.

    Attributes:
        name: For logs and metrics.
        delete: Deletes at most `:limit` rows from before `:before`.
    """

    name: str
    delete: TextClause


def _expired(name: str, table: str, key: str, column: str, condition: str = "true") -> ExpiredRows:
    columns = key if "," not in key else f"({key})"
    return ExpiredRows(
        name,
        text(
            f"""
            DELETE FROM {table} WHERE {columns} IN (
                SELECT {key} FROM {table} WHERE {column} < :before AND {condition}
                ORDER BY {column} LIMIT :limit FOR UPDATE SKIP LOCKED
            )
            """  # noqa: S608 - constants
        ),
    )


UNUSED_TOKENS = _expired("unused_tokens", "action_tokens", "token_hash", "expires_at", "used_at IS NULL")
USED_TOKENS = _expired("used_tokens", "action_tokens", "token_hash", "used_at", "used_at IS NOT NULL")
SESSIONS = _expired("signing_sessions", "signing_sessions", "key_id", "expires_at")
REQUEST_KEYS = _expired("request_keys", "request_keys", "request_key", "created_at", "NOT permanent")
ORIGINS = _expired("transaction_origins", "transaction_origins", "created_at, transaction_id", "created_at")
FLAGS = _expired("flags", "flags", "id", "decided_at", "decided_at IS NOT NULL")


async def delete_chunk(connection: AsyncConnection, rows: ExpiredRows, before: datetime, limit: int) -> int:
    """Delete a chunk of expired rows, and return how many."""
    return (await connection.execute(rows.delete, {"before": before, "limit": limit})).rowcount
