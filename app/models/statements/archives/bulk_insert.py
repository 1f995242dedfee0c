"""Bulk insertion of new users: by COPY, with the scores computed from the transactions by PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.catalogue.catalogue import Category, SortOrder
from app.domain.ledger.scoring import sort_key
from app.domain.ledger.transactions import Transaction
from app.domain.players.milestones import MilestoneKind, thresholds_reached
from app.domain.users import Profile

STATEMENT_TIMEOUT = 120.0
"""Seconds for one statement, which stores thousands of users; the timeout of the service is much shorter."""

UserWithTransactions = tuple[Profile, Sequence[Transaction]]
"""A new user and the whole chain of transactions."""

USER_COLUMNS = ("id", "username", "claimed_username", "created_at", "ledger_seq", "ledger_hash")
TRANSACTION_COLUMNS = (
    "id", "user_id", "seq", "category_id", "action_id", "kind", "points", "delta", "score", "actor_id", "actor_role",
    "created_at", "previous_hash", "hash",
)  # fmt: skip

MILESTONE_COLUMNS = ("user_id", "category_id", "kind", "threshold", "reached_at")

HAS_USERS = text("SELECT EXISTS (SELECT FROM users)")

# The deltas are already limited by the cap, and a window has no more than the all-time board, so every score is a
# plain sum. Rows are sorted by the primary key, which makes them cheapest to store.
INSERT_SCORES = """
    INSERT INTO scores (category_id, period, window_start, user_id, score, sort_key, reached_at, revision)
    SELECT t.category_id, w.period, w.start, t.user_id, sum(t.delta), $3 * sum(t.delta), max(t.created_at), count(*)
    FROM unnest($1::uuid[]) AS u(id)
    JOIN score_transactions t ON t.user_id = u.id
    CROSS JOIN LATERAL (VALUES
        ('ALL_TIME', date '1970-01-01'),
        ('DAILY', (t.created_at AT TIME ZONE 'UTC')::date),
        ('WEEKLY', date_trunc('week', t.created_at AT TIME ZONE 'UTC')::date),
        ('MONTHLY', date_trunc('month', t.created_at AT TIME ZONE 'UTC')::date)
    ) AS w(period, start)
    WHERE w.period = ANY($2::text[])
    GROUP BY t.category_id, w.period, w.start, t.user_id
    ORDER BY t.category_id, w.period, w.start, t.user_id
"""


async def has_users(connection: AsyncConnection) -> bool:
    """Return whether there is any user."""
    return bool((await connection.execute(HAS_USERS)).scalar_one())


async def insert_users(connection: AsyncConnection, category: Category, users: Sequence[UserWithTransactions]) -> int:
    """Insert new users with their transactions, scores and milestones, within the transaction of `connection`.

    Milestones of ranks are awarded by the job that repairs them.

    Args:
        connection: A connection in a transaction.
        category: The category of all transactions.
        users: The users, who must not exist yet.

    Returns:
        The number of scores.

    Raises:
        asyncpg.PostgresError: A row violates a constraint, such as a name that is not unique.
    """
    # For this transaction only. Executed by SQLAlchemy, which begins the transaction with its first statement.
    await connection.execute(text(f"SET LOCAL statement_timeout = '{int(STATEMENT_TIMEOUT)}s'"))
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    await driver.copy_records_to_table(
        "users", records=_user_rows(users), columns=USER_COLUMNS, timeout=STATEMENT_TIMEOUT
    )
    await driver.copy_records_to_table(
        "score_transactions", records=_transaction_rows(users), columns=TRANSACTION_COLUMNS, timeout=STATEMENT_TIMEOUT
    )
    if category.sort_order is SortOrder.HIGH_FIRST:
        await driver.copy_records_to_table(
            "milestones", records=_milestone_rows(users), columns=MILESTONE_COLUMNS, timeout=STATEMENT_TIMEOUT
        )
    tag: str = await driver.execute(
        INSERT_SCORES,
        [profile.id for profile, _ in users],
        [period.value for period in category.periods],
        sort_key(category.sort_order, 1),
        timeout=STATEMENT_TIMEOUT,
    )
    return int(tag.rpartition(" ")[2])


def _user_rows(users: Sequence[UserWithTransactions]) -> Iterator[tuple[Any, ...]]:
    for profile, chain in users:
        head = chain[-1].hash if chain else b""
        yield profile.id, profile.username, profile.username, profile.created_at, len(chain), head


def _transaction_rows(users: Sequence[UserWithTransactions]) -> Iterator[tuple[Any, ...]]:
    for _, chain in users:
        for entry in chain:
            yield (
                entry.id, entry.user_id, entry.seq, entry.category_id, entry.action_id, entry.kind.value, entry.points,
                entry.delta, entry.score, entry.actor.id, entry.actor.role, entry.created_at,
                entry.previous_hash, entry.hash,
            )  # fmt: skip


def _milestone_rows(users: Sequence[UserWithTransactions]) -> Iterator[tuple[Any, ...]]:
    for profile, chain in users:
        for entry in chain:
            for threshold in thresholds_reached(entry):
                yield profile.id, entry.category_id, MilestoneKind.SCORE.value, threshold, entry.created_at
