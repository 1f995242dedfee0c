"""Count the accounts that play from an address."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import text

from app.models.statements.executor import Executor

ADDRESS_WINDOW = timedelta(hours=1)
"""How far back accounts on one address are counted."""

ACCOUNTS_ON_ADDRESS = """
        SELECT count(DISTINCT t.user_id) AS accounts
        FROM (
            SELECT user_id FROM transaction_origins
            WHERE address = i.address AND created_at >= :address_window_start AND played
            ORDER BY created_at DESC LIMIT 200
        ) t
"""
"""A query for the number of accounts that have played from `i.address` since `:address_window_start`, up to 200."""

COUNT_ACCOUNTS_PER_ADDRESS = text(
    f"""
    SELECT i.address, n.accounts
    FROM unnest(CAST(:addresses AS text[])) AS i(address)
    CROSS JOIN LATERAL ({ACCOUNTS_ON_ADDRESS}) n
    """  # noqa: S608 - the piece is a constant
)


async def count_accounts_per_address(
    connection: Executor, addresses: Collection[str], now: datetime
) -> Mapping[str, int]:
    """Return how many accounts have played from each address within the last hour."""
    values = {"addresses": list(addresses), "address_window_start": now - ADDRESS_WINDOW}
    rows = await connection.execute(COUNT_ACCOUNTS_PER_ADDRESS, values)
    return {row.address: row.accounts for row in rows}
