"""Neighbours: how many accounts play from an address."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import text

from app.models.statements.executor import Executor

ADDRESS_WINDOW = timedelta(hours=1)
"""How far back accounts on one address are counted."""

ON_ADDRESS = """
        SELECT count(DISTINCT t.user_id) AS accounts
        FROM (
            SELECT user_id FROM score_transactions
            WHERE address = i.address AND created_at >= :neighbourhood AND kind IN ('ACTION', 'SIGNED_ACTION', 'HELD')
            ORDER BY created_at DESC LIMIT 200
        ) t
"""
"""A query for the accounts that have played from `i.address` since `:neighbourhood`, as far as they are counted."""

COUNT = text(
    f"""
    SELECT i.address, n.accounts
    FROM unnest(CAST(:addresses AS text[])) AS i(address)
    CROSS JOIN LATERAL ({ON_ADDRESS}) n
    """  # noqa: S608 - the piece is a constant
)


async def count_accounts_per_address(
    connection: Executor, addresses: Collection[str], now: datetime
) -> Mapping[str, int]:
    """How many accounts played from each address within the last hour."""
    values = {"addresses": list(addresses), "neighbourhood": now - ADDRESS_WINDOW}
    rows = await connection.execute(COUNT, values)
    return {row.address: row.accounts for row in rows}
