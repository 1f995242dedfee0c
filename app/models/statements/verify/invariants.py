"""The invariants that SQL can check: each as a statement that describes the rows which violate it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.transactions import Actor, Kind, Transaction
from app.models.tables.scores import UNRANKED_ZERO

MAX_LISTED_VIOLATIONS = 20
"""How many violations of one invariant are reported."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """A statement about the rows of the database that is always true.

    Attributes:
        name: A short name.
        description: What must be the case, for operators.
        count_rows: Counts the rows that the invariant is about.
        violations: Selects one column, a sentence for each row that violates the invariant.
    """

    name: str
    description: str
    count_rows: TextClause
    violations: TextClause


SUMS = Invariant(
    "sums",
    "every all-time score is the sum of the deltas of the user's transactions",
    text("SELECT count(*) FROM scores WHERE period = 'ALL_TIME'"),
    text(
        """
        SELECT format('user %s, category %s: the score is %s, but the sum of the deltas is %s',
                      user_id, category_id, coalesce(s.score::text, 'missing'), coalesce(t.total, 0))
        FROM (
            SELECT user_id, category_id, sum(delta) AS total FROM score_transactions
            WHERE category_id IS NOT NULL GROUP BY user_id, category_id
        ) t
        FULL JOIN (SELECT user_id, category_id, score FROM scores WHERE period = 'ALL_TIME') s
            USING (user_id, category_id)
        WHERE coalesce(s.score, 0) <> coalesce(t.total, 0)
        LIMIT :most
        """
    ),
)

# A correction also changes windows other than the one it is made in, so users with corrections are not checked.
WINDOWS = Invariant(
    "windows",
    "every score of a day, week or month is the sum of the deltas in it, unless a moderator has corrected it",
    text("SELECT count(*) FROM scores WHERE period <> 'ALL_TIME'"),
    text(
        """
        WITH corrected AS (
            SELECT DISTINCT user_id, category_id FROM score_transactions
            WHERE kind NOT IN ('ACTION', 'SIGNED_ACTION', 'SERVER_ACTION', 'HELD', 'REJECTION')
              AND category_id IS NOT NULL
        ), earned AS (
            SELECT t.user_id, t.category_id, w.period, w.window_start, sum(t.delta) AS total
            FROM score_transactions t
            JOIN categories c ON c.id = t.category_id AND c.operator = 'SUM'
            CROSS JOIN LATERAL (VALUES
                ('DAILY', (t.created_at AT TIME ZONE 'UTC')::date),
                ('WEEKLY', date_trunc('week', t.created_at AT TIME ZONE 'UTC')::date),
                ('MONTHLY', date_trunc('month', t.created_at AT TIME ZONE 'UTC')::date)
            ) AS w(period, window_start)
            WHERE w.period = ANY(c.periods)
            GROUP BY t.user_id, t.category_id, w.period, w.window_start
        ), kept AS (
            SELECT s.user_id, s.category_id, s.period, s.window_start, s.score
            FROM scores s JOIN categories c ON c.id = s.category_id AND c.operator = 'SUM' AND s.period = ANY(c.periods)
            WHERE s.period <> 'ALL_TIME'
        )
        SELECT format('user %s, board %s/%s:%s: the score is %s, but the sum of the deltas in the window is %s',
                      user_id, category_id, period, window_start, coalesce(k.score::text, 'missing'),
                      coalesce(e.total, 0))
        FROM earned e FULL JOIN kept k USING (user_id, category_id, period, window_start)
        WHERE coalesce(k.score, 0) <> coalesce(e.total, 0)
          AND NOT EXISTS (SELECT FROM corrected x WHERE (x.user_id, x.category_id) = (user_id, category_id))
        LIMIT :most
        """
    ),
)

ROWS = Invariant(
    "rows",
    "every score is between 0 and the cap, has the sort key of its category, and belongs to a valid window",
    text("SELECT count(*) FROM scores"),
    text(
        f"""
        SELECT format('user %s, board %s/%s:%s: %s', s.user_id, s.category_id, s.period, s.window_start, p.problem)
        FROM scores s
        JOIN categories c ON c.id = s.category_id
        JOIN users u ON u.id = s.user_id
        CROSS JOIN LATERAL (VALUES
            (s.score < 0 OR s.score > least(coalesce(c.score_cap, :cap), :cap),
                format('the score %s is not between 0 and %s', s.score, least(coalesce(c.score_cap, :cap), :cap))),
            (s.sort_key <> CASE c.sort_order WHEN 'HIGH_FIRST' THEN -s.score ELSE s.score END,
                format('the score %s has the wrong sort key %s', s.score, s.sort_key)),
            (s.revision < 1, format('the revision is %s, but must be at least 1', s.revision)),
            (s.hidden <> (u.hidden_at IS NOT NULL OR {UNRANKED_ZERO}),
                CASE WHEN s.hidden THEN 'it is hidden, but its user is not'
                     ELSE 'it is shown, but it has no score or its user is hidden' END),
            (s.window_start <> CASE s.period
                WHEN 'ALL_TIME' THEN date '1970-01-01'
                WHEN 'WEEKLY' THEN date_trunc('week', s.window_start)::date
                WHEN 'MONTHLY' THEN date_trunc('month', s.window_start)::date
                ELSE s.window_start END, 'no window of this period begins on this day'),
            (s.period <> 'ALL_TIME' AND s.reached_at < s.window_start::timestamp AT TIME ZONE 'UTC',
                format('it was reached at %s, before the window began', s.reached_at))
        ) AS p(broken, problem)
        WHERE p.broken
        LIMIT :most
        """  # noqa: S608 - the piece is a constant
    ),
)

# Tokens are deleted a day after they expire; the ledger keeps the hashes of those that were used.
TOKENS = Invariant(
    "tokens",
    "every used token has exactly one transaction, which is of the token's user and action",
    text("SELECT count(*) FROM action_tokens"),
    text(
        """
        SELECT violation FROM (
            SELECT format('token %s of user %s was used at %s, but has no transaction',
                          encode(k.token_hash, 'hex'), k.user_id, k.used_at) AS violation
            FROM action_tokens k
            WHERE k.used_at IS NOT NULL
              AND NOT EXISTS (SELECT FROM score_transactions t WHERE t.token_hash = k.token_hash)
            UNION ALL
            SELECT format('transaction %s of user %s has a token that %s', t.id, t.user_id,
                          CASE WHEN k.token_hash IS NULL THEN 'was never issued'
                               WHEN k.used_at IS NULL THEN 'is unused'
                               WHEN k.user_id <> t.user_id THEN 'was issued to ' || k.user_id
                               ELSE 'was issued for ' || k.action_id END)
            FROM score_transactions t LEFT JOIN action_tokens k ON k.token_hash = t.token_hash
            WHERE t.token_hash IS NOT NULL
              AND CASE WHEN k.token_hash IS NULL THEN t.created_at > now() - interval '1 day'
                       ELSE k.used_at IS NULL OR k.user_id <> t.user_id OR k.action_id <> t.action_id END
            UNION ALL
            SELECT format('token %s has %s transactions', encode(token_hash, 'hex'), count(*))
            FROM score_transactions WHERE token_hash IS NOT NULL GROUP BY token_hash HAVING count(*) > 1
        ) AS all_violations
        LIMIT :most
        """
    ),
)

# References without foreign keys, because those would make submissions slower.
OWNERS = Invariant(
    "owners",
    "every transaction and token belongs to an existing user and category",
    text("SELECT (SELECT count(*) FROM score_transactions) + (SELECT count(*) FROM action_tokens)"),
    text(
        """
        SELECT violation FROM (
            SELECT format('transaction %s belongs to user %s, who does not exist', t.id, t.user_id) AS violation
            FROM score_transactions t WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = t.user_id)
            UNION ALL
            SELECT format('transaction %s belongs to category %s, which does not exist', t.id, t.category_id)
            FROM score_transactions t
            WHERE t.category_id IS NOT NULL AND NOT EXISTS (SELECT FROM categories c WHERE c.id = t.category_id)
            UNION ALL
            SELECT format('token %s belongs to user %s, who does not exist', encode(k.token_hash, 'hex'), k.user_id)
            FROM action_tokens k WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = k.user_id)
        ) AS all_violations
        LIMIT :most
        """
    ),
)

INVARIANTS = (SUMS, WINDOWS, ROWS, TOKENS, OWNERS)

COUNT_TRANSACTIONS = text("SELECT count(*) FROM score_transactions")

# Users without transactions are included: their heads must be empty.
SELECT_CHAINS = text(
    """
    SELECT u.id AS owner, u.ledger_seq, u.ledger_hash,
           t.id, t.seq, t.category_id, t.action_id, t.kind, t.points, t.delta, t.score, t.token_hash, t.request_key,
           t.request_hash, t.actor_id, t.actor_role, t.address, t.user_agent, t.reason, t.created_at, t.previous_hash,
           t.hash
    FROM users u LEFT JOIN score_transactions t ON t.user_id = u.id
    ORDER BY u.id, t.seq
    """
)


async def check_invariant(connection: AsyncConnection, invariant: Invariant, cap: int) -> tuple[int, list[str]]:
    """Return how many rows an invariant is about, and sentences about the first violations.

    Args:
        connection: A connection.
        invariant: The invariant.
        cap: The highest score cap of any category.
    """
    checked = (await connection.execute(invariant.count_rows)).scalar_one()
    values = {"most": MAX_LISTED_VIOLATIONS} | ({"cap": cap} if "cap" in invariant.violations.compile().params else {})
    rows = await connection.execute(invariant.violations, values)
    return checked, list(rows.scalars())


async def count_transactions(connection: AsyncConnection) -> int:
    """Return the number of transactions."""
    count: int = (await connection.execute(COUNT_TRANSACTIONS)).scalar_one()
    return count


async def stream_chains(connection: AsyncConnection) -> AsyncIterator[Row[Any]]:
    """Yield a row per transaction, in order of user and `seq`; a user without any has one row whose `id` is None."""
    async with connection.stream(SELECT_CHAINS, execution_options={"yield_per": 2000}) as rows:
        async for row in rows:
            yield row


def transaction_of(row: Row[Any]) -> Transaction:
    """Return the transaction in a row of `stream_chains`."""
    return Transaction(
        id=row.id,
        user_id=row.owner,
        seq=row.seq,
        category_id=row.category_id,
        action_id=row.action_id,
        kind=Kind(row.kind),
        points=row.points,
        delta=row.delta,
        score=row.score,
        token_hash=row.token_hash,
        request_key=row.request_key,
        request_hash=row.request_hash,
        actor=Actor(row.actor_id, row.actor_role, row.address, row.user_agent),
        reason=row.reason,
        created_at=row.created_at,
        previous_hash=row.previous_hash,
    )
