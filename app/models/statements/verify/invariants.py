"""The invariants that SQL can check: each as a statement that describes the rows which violate it.

A statement is about one range, of users or of tokens, so that it reads a bounded part of the database: the data of a
range are consistent, and ranges may be checked at the same time.
"""

# ruff: noqa: S608 - the pieces of the statements are constants

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.transactions import Actor, Kind, Transaction
from app.models.tables.scores import UNRANKED_ZERO

MAX_LISTED_VIOLATIONS = 20
"""How many violations of one invariant are reported."""

USERS_PER_RANGE = 2000
"""Users whose rows one statement reads."""

TOKEN_RANGES = 64
"""Ranges of the hashes of action tokens, which are evenly distributed."""


class Subject(Enum):
    """What an invariant is checked for, one range at a time."""

    USERS = "users"
    """Rows with a `user_id` after `:after`, up to and including `:through`."""
    TOKENS = "tokens"
    """Action tokens with a hash from `:first`, and before `:end` unless that is null."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """A statement about the rows of the database that is always true.

    Attributes:
        name: A short name.
        description: What must be the case, for operators.
        subject: Of what the ranges are.
        count_rows: Counts the rows that the invariant is about.
        violations: Selects one column, a sentence for each row that violates the invariant.
    """

    name: str
    description: str
    subject: Subject
    count_rows: TextClause
    violations: TextClause


_USERS = "{0}.user_id > :after AND {0}.user_id <= :through"
_TOKENS = "k.token_hash >= :first AND (CAST(:end AS bytea) IS NULL OR k.token_hash < :end)"

SUMS = Invariant(
    "sums",
    "every all-time score is the sum of the deltas of the user's transactions",
    Subject.USERS,
    text(f"SELECT count(*) FROM scores s WHERE period = 'ALL_TIME' AND {_USERS.format('s')}"),
    text(
        f"""
        SELECT format('user %s, category %s: the score is %s, but the sum of the deltas is %s',
                      user_id, category_id, coalesce(s.score::text, 'missing'), coalesce(t.total, 0))
        FROM (
            SELECT user_id, category_id, sum(delta) AS total FROM (
                SELECT t.user_id, t.category_id, t.delta FROM score_transactions t
                WHERE t.category_id IS NOT NULL AND {_USERS.format("t")}
                UNION ALL
                SELECT x.user_id, x.category_id, x.delta FROM archived_totals x WHERE {_USERS.format("x")}
            ) d GROUP BY user_id, category_id
        ) t
        FULL JOIN (
            SELECT s.user_id, s.category_id, s.score FROM scores s
            WHERE s.period = 'ALL_TIME' AND {_USERS.format("s")}
        ) s USING (user_id, category_id)
        WHERE coalesce(s.score, 0) <> coalesce(t.total, 0)
        LIMIT :most
        """
    ),
)

# A correction also changes windows other than the one it is made in, so users with corrections are not checked.
# Windows that begin before the end of the archived months have transactions that are not in the database any more.
WINDOWS = Invariant(
    "windows",
    "every score of a day, week or month is the sum of the deltas in it, unless a moderator has corrected it",
    Subject.USERS,
    text(f"SELECT count(*) FROM scores s WHERE period <> 'ALL_TIME' AND {_USERS.format('s')}"),
    text(
        f"""
        WITH kept_since AS (
            SELECT coalesce(max(month + interval '1 month'), '-infinity')::date AS day FROM archived_months
        ), transactions AS (
            SELECT t.user_id, t.category_id, t.kind, t.delta, t.created_at FROM score_transactions t
            WHERE t.category_id IS NOT NULL AND {_USERS.format("t")}
        ), corrected AS (
            SELECT user_id, category_id FROM transactions
            WHERE kind NOT IN ('ACTION', 'SIGNED_ACTION', 'SERVER_ACTION', 'HELD', 'REJECTION')
            UNION
            SELECT x.user_id, x.category_id FROM archived_totals x WHERE x.corrected AND {_USERS.format("x")}
        ), earned AS (
            SELECT t.user_id, t.category_id, w.period, w.window_start, sum(t.delta) AS total
            FROM transactions t
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
            WHERE s.period <> 'ALL_TIME' AND {_USERS.format("s")}
        )
        SELECT format('user %s, board %s/%s:%s: the score is %s, but the sum of the deltas in the window is %s',
                      user_id, category_id, period, window_start, coalesce(k.score::text, 'missing'),
                      coalesce(e.total, 0))
        FROM earned e FULL JOIN kept k USING (user_id, category_id, period, window_start)
        WHERE coalesce(k.score, 0) <> coalesce(e.total, 0)
          AND window_start >= (SELECT day FROM kept_since)
          AND NOT EXISTS (SELECT FROM corrected x WHERE (x.user_id, x.category_id) = (user_id, category_id))
        LIMIT :most
        """
    ),
)

ROWS = Invariant(
    "rows",
    "every score is between 0 and the cap, has the sort key of its category, and belongs to a valid window",
    Subject.USERS,
    text(f"SELECT count(*) FROM scores s WHERE {_USERS.format('s')}"),
    text(
        f"""
        SELECT format('user %s, board %s/%s:%s: %s', s.user_id, s.category_id, s.period, s.window_start, p.problem)
        FROM scores s
        JOIN categories c ON c.id = s.category_id
        JOIN users u ON u.id = s.user_id
        CROSS JOIN LATERAL (VALUES
            (s.score < 0 OR s.score > coalesce(c.score_cap, :cap),
                format('the score %s is not between 0 and %s', s.score, coalesce(c.score_cap, :cap))),
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
        WHERE p.broken AND {_USERS.format("s")}
        LIMIT :most
        """
    ),
)

# Unused tokens are deleted a day after they expire, used ones later; the ledger keeps the hashes of those.
TOKENS = Invariant(
    "tokens",
    "every used token has exactly one transaction, which is of the token's user and action",
    Subject.TOKENS,
    text(f"SELECT count(*) FROM action_tokens k WHERE {_TOKENS}"),
    text(
        f"""
        SELECT format('token %s of user %s was used at %s, but has no transaction',
                      encode(k.token_hash, 'hex'), k.user_id, k.used_at)
        FROM action_tokens k
        LEFT JOIN score_transactions t
            ON t.id = k.transaction_id AND t.created_at = k.used_at AND t.token_hash = k.token_hash
        WHERE k.used_at IS NOT NULL AND t.id IS NULL AND {_TOKENS}
        LIMIT :most
        """
    ),
)
TOKENS_OF_TRANSACTIONS = Invariant(
    "tokens",
    TOKENS.description,
    Subject.USERS,
    text("SELECT 0"),
    text(
        f"""
        SELECT format('transaction %s of user %s has a token that %s', t.id, t.user_id,
                      CASE WHEN k.token_hash IS NULL THEN 'was never issued'
                           WHEN k.used_at IS NULL THEN 'is unused'
                           WHEN k.user_id <> t.user_id THEN 'was issued to ' || k.user_id
                           WHEN k.action_id <> t.action_id THEN 'was issued for ' || k.action_id
                           ELSE 'transaction ' || k.transaction_id || ' has, too' END)
        FROM score_transactions t LEFT JOIN action_tokens k ON k.token_hash = t.token_hash
        WHERE t.token_hash IS NOT NULL AND {_USERS.format("t")}
          AND CASE WHEN k.token_hash IS NULL THEN t.created_at > now() - interval '1 day'
                   ELSE k.used_at IS NULL OR k.user_id <> t.user_id OR k.action_id <> t.action_id
                        OR k.transaction_id <> t.id END
        LIMIT :most
        """
    ),
)

# References without foreign keys, because those would make submissions slower.
OWNERS = Invariant(
    "owners",
    "every transaction and token belongs to an existing user and category",
    Subject.USERS,
    text(f"SELECT count(*) FROM score_transactions t WHERE {_USERS.format('t')}"),
    text(
        f"""
        SELECT CASE WHEN u.id IS NULL THEN format('transaction %s belongs to user %s, who does not exist',
                                                  t.id, t.user_id)
                    ELSE format('transaction %s belongs to category %s, which does not exist',
                                t.id, t.category_id) END
        FROM score_transactions t
        LEFT JOIN users u ON u.id = t.user_id LEFT JOIN categories c ON c.id = t.category_id
        WHERE (u.id IS NULL OR (t.category_id IS NOT NULL AND c.id IS NULL)) AND {_USERS.format("t")}
        LIMIT :most
        """
    ),
)
OWNERS_OF_TOKENS = Invariant(
    "owners",
    OWNERS.description,
    Subject.TOKENS,
    text(f"SELECT count(*) FROM action_tokens k WHERE {_TOKENS}"),
    text(
        f"""
        SELECT format('token %s belongs to user %s, who does not exist', encode(k.token_hash, 'hex'), k.user_id)
        FROM action_tokens k LEFT JOIN users u ON u.id = k.user_id WHERE u.id IS NULL AND {_TOKENS}
        LIMIT :most
        """
    ),
)

INVARIANTS = (SUMS, WINDOWS, ROWS, TOKENS, TOKENS_OF_TRANSACTIONS, OWNERS, OWNERS_OF_TOKENS)
"""All invariants. Those with the same name are one check."""

# Users without transactions are included: their heads must be empty. Archived segments stand between the transactions,
# with the category NULL and the position of their last one in `seq`.
SELECT_CHAINS = text(
    """
    SELECT u.id AS owner, u.ledger_seq, u.ledger_hash, u.deleted_at,
           t.id, t.seq, t.category_id, t.action_id, t.kind, t.points, t.delta, t.score, t.token_hash, t.request_key,
           t.request_hash, t.actor_id, t.actor_role, t.address_commitment, t.user_agent_commitment,
           t.reason_commitment, t.created_at, t.previous_hash, t.hash, t.reason, t.reason_salt,
           o.salt, o.address, o.user_agent, NULL::bigint AS archived_from
    FROM users u
    LEFT JOIN score_transactions t ON t.user_id = u.id
    LEFT JOIN transaction_origins o ON o.transaction_id = t.id AND o.created_at = t.created_at
    WHERE u.id > :after AND u.id <= :through
    UNION ALL
    SELECT u.id, u.ledger_seq, u.ledger_hash, u.deleted_at,
           NULL, a.last_seq, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           NULL, NULL, NULL, NULL, NULL,
           NULL, NULL, a.previous_hash, a.last_hash, NULL, NULL,
           NULL, NULL, NULL, a.first_seq
    FROM archived_segments a JOIN users u ON u.id = a.user_id
    WHERE a.user_id > :after AND a.user_id <= :through
    ORDER BY owner, seq
    """
)

SELECT_LAST_OF_RANGE = text("SELECT id FROM users WHERE id > :after ORDER BY id OFFSET :size - 1 LIMIT 1")
COUNT_IN_DEFAULT = text("SELECT count(*) FROM score_transactions_default")

FIRST_USER = UUID(int=0)
LAST_USER = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class UserRange:
    """The users whose ids are after `after`, up to and including `through`."""

    after: UUID
    through: UUID


async def read_user_ranges(connection: AsyncConnection) -> list[UserRange]:
    """Return ranges of at most `USERS_PER_RANGE` users that together cover all ids, also of users who do not exist."""
    ends = [FIRST_USER]
    while (
        last := (
            await connection.execute(SELECT_LAST_OF_RANGE, {"after": ends[-1], "size": USERS_PER_RANGE})
        ).scalar_one_or_none()
    ) is not None:
        ends.append(last)
    return [UserRange(after, through) for after, through in pairwise([*ends, LAST_USER])]


def token_ranges() -> list[tuple[bytes, bytes | None]]:
    """Return the first hash and the end of each range of tokens."""
    firsts = [bytes([number * 256 // TOKEN_RANGES]) if number else b"" for number in range(TOKEN_RANGES)]
    return list(zip(firsts, [*firsts[1:], None], strict=True))


def ranges_of(invariant: Invariant, users: list[UserRange]) -> list[dict[str, Any]]:
    """Return the parameters of each range that an invariant is checked for."""
    if invariant.subject is Subject.TOKENS:
        return [{"first": first, "end": end} for first, end in token_ranges()]
    return [{"after": one.after, "through": one.through} for one in users]


async def check_invariant(
    connection: AsyncConnection, invariant: Invariant, bounds: dict[str, Any], cap: int
) -> tuple[int, list[str]]:
    """Return how many rows of a range an invariant is about, and sentences about the first violations.

    Args:
        connection: A connection.
        invariant: The invariant.
        bounds: The parameters of the range.
        cap: The highest score cap of any category.
    """
    checked = (await connection.execute(invariant.count_rows, bounds)).scalar_one()
    values = bounds | {"most": MAX_LISTED_VIOLATIONS}
    if "cap" in invariant.violations.compile().params:
        values["cap"] = cap
    rows = await connection.execute(invariant.violations, values)
    return checked, list(rows.scalars())


async def count_in_default(connection: AsyncConnection) -> int:
    """Return the number of transactions in the default partition."""
    count: int = (await connection.execute(COUNT_IN_DEFAULT)).scalar_one()
    return count


async def stream_chains(connection: AsyncConnection, users: UserRange) -> AsyncIterator[Row[Any]]:
    """Yield a row per transaction and archived segment of a range of users, in order of user and `seq`.

    A user without any has one row whose `id` is None.
    """
    values = {"after": users.after, "through": users.through}
    async with connection.stream(SELECT_CHAINS, values, execution_options={"yield_per": 2000}) as rows:
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
        actor=Actor(row.actor_id, row.actor_role, row.address_commitment, row.user_agent_commitment),
        reason=row.reason_commitment,
        created_at=row.created_at,
        previous_hash=row.previous_hash,
    )
