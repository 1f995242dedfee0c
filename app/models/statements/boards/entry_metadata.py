"""Statements about entry metadata: found by user, category and the time at which a score was reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards.periods import Period
from app.domain.ledger.metadata import Metadata, MetadataKey
from app.models.statements.executor import Executor
from app.models.tables.entry_metadata import period_key

# One array stands in a SELECT of its own, so that one plan serves pages of all sizes: see `STORE_POSTINGS`.
SELECT_METADATA = text(
    """
    SELECT i.ord, m.content
    FROM unnest(
        (SELECT CAST(:users AS uuid[])), CAST(:categories AS text[]), CAST(:times AS timestamptz[]),
        CAST(:periods AS text[])
    ) WITH ORDINALITY AS i(user_id, category_id, reached_at, period, ord)
    JOIN users u ON u.id = i.user_id AND u.hidden_at IS NULL AND u.deleted_at IS NULL
    JOIN entry_metadata m ON m.user_id = i.user_id AND m.category_id = i.category_id AND m.reached_at = i.reached_at
        AND m.period IN ('', i.period)
    """
)
SELECT_OF_TRANSACTION = text(
    """
    SELECT content FROM entry_metadata
    WHERE user_id = :user AND category_id = :category AND reached_at = :time AND period IN ('', :period)
    """
)
DELETE_IN_CATEGORY = text("DELETE FROM entry_metadata WHERE user_id = :user AND category_id = :category")
DELETE_METADATA_OF_USER = text("DELETE FROM entry_metadata WHERE user_id = :user")


async def read_metadata(connection: Executor, keys: Sequence[MetadataKey]) -> list[str | None]:
    """Return the JSON text of each entry; None for one without metadata, and for those of hidden users."""
    rows = await connection.execute(
        SELECT_METADATA,
        {
            "users": [key.user_id for key in keys],
            "categories": [key.category for key in keys],
            "times": [key.reached_at for key in keys],
            "periods": [key.period.value for key in keys],
        },
    )
    found = {row.ord: row.content for row in rows}
    return [found.get(number) for number in range(1, len(keys) + 1)]


async def metadata_of_transactions(
    connection: AsyncConnection,
    user_id: UUID,
    category_id: str,
    transactions: Iterable[tuple[Period | None, datetime]],
) -> Metadata:
    """Return the JSON texts of transactions of a user, by period; None stands for all periods.

    Args:
        connection: A connection.
        user_id: The user.
        category_id: The category of the transactions.
        transactions: The times of the transactions, each with the period of the boards on which it is to be shown.
    """
    found = []
    for period, time in transactions:
        values = {"user": user_id, "category": category_id, "time": time, "period": period_key(period)}
        metadata = (await connection.execute(SELECT_OF_TRANSACTION, values)).scalars().first()
        if metadata is not None:
            found.append((period, metadata))
    return tuple(found)


async def delete_metadata(connection: AsyncConnection, user_id: UUID, category_id: str) -> int:
    """Delete the metadata of a user in a category, and return how many transactions had some."""
    deleted = await connection.execute(DELETE_IN_CATEGORY, {"user": user_id, "category": category_id})
    return deleted.rowcount
