"""Whole players in bulk: their users and transactions by COPY, their scores made from the transactions by PostgreSQL.

For new users only: nothing here looks at what a user may have already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.catalogue.catalogue import Category
from app.domain.ledger.scoring import sort_key
from app.domain.players.synthetic import Player

TIMEOUT = 120.0
"""Seconds for one statement: more than the service grants itself, as one statement stores thousands of players."""

USER_COLUMNS = ("id", "username", "claimed_username", "created_at", "ledger_seq", "ledger_hash")
TRANSACTION_COLUMNS = (
    "id", "user_id", "seq", "category_id", "action_id", "kind", "points", "delta", "score", "actor_id", "actor_role",
    "reason", "created_at", "previous_hash", "hash",
)  # fmt: skip

HAS_USERS = text("SELECT EXISTS (SELECT FROM users)")

# Points were cut at the cap when the all-time score reached it, and a window holds no more than all time does:
# on every board the score is a plain sum. Rows come in the order of the primary key, which is cheapest to store.
STORE_SCORES = """
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
    """Whether there is any user."""
    return bool((await connection.execute(HAS_USERS)).scalar_one())


async def store_players(connection: AsyncConnection, category: Category, players: Sequence[Player]) -> int:
    """Store new users with all they have, within the transaction of `connection`; returns the number of scores.

    Transactions must be of `category` alone. Raises what asyncpg raises, such as for a name that is taken.
    """
    # Within this transaction only: the pool's own limit is for answers to players. By way of SQLAlchemy, which begins
    # the transaction with the first statement it sees.
    await connection.execute(text(f"SET LOCAL statement_timeout = '{int(TIMEOUT)}s'"))
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    await driver.copy_records_to_table("users", records=_users(players), columns=USER_COLUMNS, timeout=TIMEOUT)
    await driver.copy_records_to_table(
        "score_transactions", records=_transactions(players), columns=TRANSACTION_COLUMNS, timeout=TIMEOUT
    )
    tag: str = await driver.execute(
        STORE_SCORES,
        [player.profile.id for player in players],
        [period.value for period in category.periods],
        sort_key(category.sort_order, 1),
        timeout=TIMEOUT,
    )
    return int(tag.rpartition(" ")[2])


def _users(players: Sequence[Player]) -> Iterator[tuple[Any, ...]]:
    for player in players:
        user, chain = player.profile, player.transactions
        head = chain[-1].hash if chain else b""
        yield user.id, user.username, user.username, user.created_at, len(chain), head


def _transactions(players: Sequence[Player]) -> Iterator[tuple[Any, ...]]:
    for player in players:
        for entry in player.transactions:
            yield (
                entry.id, entry.user_id, entry.seq, entry.category_id, entry.action_id, entry.kind.value, entry.points,
                entry.delta, entry.score, entry.actor.id, entry.actor.role, entry.reason, entry.created_at,
                entry.previous_hash, entry.hash,
            )  # fmt: skip
