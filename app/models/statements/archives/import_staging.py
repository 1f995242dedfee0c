"""Staging: an archive is copied to temporary tables, checked there, and merged into the tables.

Everything happens in one transaction of one connection. The driver is called directly, for COPY and because the
statements of an import may take longer than the timeout of the service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.idempotency import CLIENT_KINDS
from app.domain.ledger.posting import ScoreChange
from app.domain.users import Profile
from app.models.advisory_locks import AdvisoryLock, lock_until_commit
from app.models.statements.archives.archive_format import PARTS, Part
from app.models.statements.ledger.partitions import Month

STATEMENT_TIMEOUT = 3600.0
"""Seconds for one statement of an import."""

CREATE_STAGED_SCORES = "CREATE TEMP TABLE staged_scores (LIKE scores INCLUDING DEFAULTS) ON COMMIT DROP"

# The users who are new or whose chains will grow. They are locked, so that none of their scores changes meanwhile.
CREATE_AFFECTED_USERS = """
    CREATE TEMP TABLE affected ON COMMIT DROP AS
    SELECT s.id, coalesce(u.ledger_seq, -1) AS had FROM staged_user s LEFT JOIN users u ON u.id = s.id
    WHERE u.id IS NULL OR u.ledger_seq < s.ledger_seq
"""
LOCK_STAGED_USERS = "SELECT id FROM users WHERE id IN (SELECT id FROM staged_user) ORDER BY id FOR NO KEY UPDATE"

# Heads of chains that differ from the last transactions.
FIND_WRONG_HEAD = """
    SELECT format('user %s: the chain must end with transaction %s, but ends with %s', s.id, s.ledger_seq,
                  coalesce(t.seq, 0))
    FROM staged_user s
    LEFT JOIN (SELECT DISTINCT ON (user_id) user_id, seq, hash FROM staged_transaction ORDER BY user_id, seq DESC) t
        ON t.user_id = s.id
    WHERE (s.ledger_seq, s.ledger_hash) IS DISTINCT FROM (coalesce(t.seq, 0), coalesce(t.hash, ''::bytea))
    UNION ALL
    SELECT format('transaction %s belongs to a user who does not exist', t.id) FROM staged_transaction t
    WHERE t.seq = 1 AND NOT EXISTS (SELECT FROM staged_user s WHERE s.id = t.user_id)
    LIMIT 1
"""
FIND_DIFFERENT_CHAIN = """
    SELECT format('user %s: transaction %s is %s here and %s in the archive', t.user_id, t.seq, t.id, s.id)
    FROM staged_transaction s JOIN score_transactions t USING (user_id, seq)
    WHERE t.hash <> s.hash LIMIT 1
"""
FIND_DIFFERENT_ORDER = """
    SELECT format('category %s: it has scores, and its sort order or operator differs from the archive', c.id)
    FROM staged_category s JOIN categories c USING (id)
    WHERE (c.sort_order, c.operator) <> (s.sort_order, s.operator)
      AND EXISTS (SELECT FROM scores WHERE category_id = c.id) LIMIT 1
"""
# References that have no foreign keys.
FIND_MISSING_REFERENCE = """
    SELECT format('token %s belongs to a user who does not exist', encode(k.token_hash, 'hex')) FROM staged_token k
    WHERE NOT EXISTS (SELECT FROM staged_user s WHERE s.id = k.user_id)
      AND NOT EXISTS (SELECT FROM users u WHERE u.id = k.user_id)
    UNION ALL
    SELECT format('transaction %s belongs to category %s, which does not exist', t.id, t.category_id)
    FROM staged_transaction t
    WHERE t.category_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM staged_category s WHERE s.id = t.category_id)
      AND NOT EXISTS (SELECT FROM categories c WHERE c.id = t.category_id)
    LIMIT 1
"""
# The scores of a chain are computed from all of its transactions.
FIND_ARCHIVED_CHAIN = """
    SELECT format('user %s: transactions were archived here, so nothing can be added to the chain', a.id)
    FROM affected a JOIN archived_segments s ON s.user_id = a.id LIMIT 1
"""
CHECKS = (FIND_ARCHIVED_CHAIN, FIND_WRONG_HEAD, FIND_DIFFERENT_CHAIN, FIND_DIFFERENT_ORDER, FIND_MISSING_REFERENCE)

# A name that another user has, or that looks like it, gets a suffix made from the id, as when a user is created.
MERGE_USERS = """
    INSERT INTO users (
        id, username, username_skeleton, claimed_username, avatar_url, created_at, hidden_at, deleted_at
    )
    SELECT s.id,
           CASE WHEN s.taken THEN left(s.username, 50) || '-' || left(replace(s.id::text, '-', ''), 9)
                ELSE s.username END,
           CASE WHEN s.taken THEN NULL ELSE s.username_skeleton END,
           s.claimed_username, s.avatar_url, s.created_at, s.hidden_at, s.deleted_at
    FROM (
        SELECT *, EXISTS (SELECT FROM users o WHERE o.username = u.username)
                  OR EXISTS (SELECT FROM users o WHERE o.username_skeleton = u.username_skeleton) AS taken
        FROM staged_user u
    ) s
    ORDER BY s.id
    ON CONFLICT (id) DO NOTHING
"""
MERGE_TRANSACTIONS = """
    INSERT INTO score_transactions SELECT s.* FROM staged_transaction s JOIN affected a ON a.id = s.user_id
    WHERE s.seq > a.had ORDER BY s.user_id, s.seq
"""
MERGE_REQUEST_KEYS = f"""
    INSERT INTO request_keys (request_key, transaction_id, created_at, permanent)
    SELECT DISTINCT ON (s.request_key) s.request_key, s.id, s.created_at,
           split_part(s.request_key, ':', 1) <> ALL (ARRAY{list(CLIENT_KINDS)})
    FROM staged_transaction s JOIN affected a ON a.id = s.user_id
    WHERE s.seq > a.had AND s.request_key IS NOT NULL ORDER BY s.request_key, s.created_at DESC
    ON CONFLICT (request_key) DO NOTHING
"""  # noqa: S608 - constants
# The personal data of users who were deleted meanwhile.
ERASE_DETAILS = (
    """
    DELETE FROM transaction_origins o USING staged_user s WHERE o.user_id = s.id AND s.deleted_at IS NOT NULL
    """,
    """
    UPDATE score_transactions t SET reason = NULL, reason_salt = NULL
    FROM staged_user s WHERE t.user_id = s.id AND s.deleted_at IS NOT NULL AND t.reason IS NOT NULL
    """,
)
# The state that the ledger records comes with it: hidden, shown again, deleted.
UPDATE_HEADS = """
    UPDATE users u SET
        ledger_seq = s.ledger_seq, ledger_hash = s.ledger_hash, hidden_at = s.hidden_at, deleted_at = s.deleted_at,
        username = CASE WHEN s.deleted_at IS NULL THEN u.username ELSE s.username END,
        claimed_username = CASE WHEN s.deleted_at IS NULL THEN u.claimed_username ELSE s.claimed_username END,
        username_skeleton = CASE WHEN s.deleted_at IS NULL THEN u.username_skeleton END,
        avatar_url = CASE WHEN s.deleted_at IS NULL THEN u.avatar_url END
    FROM staged_user s JOIN affected a USING (id) WHERE u.id = s.id
"""
MERGE_TOKENS = """
    INSERT INTO action_tokens AS old SELECT s.* FROM staged_token s
    ON CONFLICT (token_hash) DO UPDATE SET used_at = excluded.used_at, transaction_id = excluded.transaction_id
    WHERE old.used_at IS NULL
"""
MERGE_FLAG_DECISIONS = """
    UPDATE flags f SET status = s.status, decided_at = s.decided_at, decided_by = s.decided_by, reason = s.reason,
                       decision_id = s.decision_id
    FROM staged_flag s WHERE s.id = f.id AND f.status = 'OPEN' AND s.status <> 'OPEN'
"""

MERGE_SCORES = """
    INSERT INTO scores AS old SELECT s.* FROM staged_scores s
    ORDER BY s.category_id, s.period, s.window_start, s.user_id
    ON CONFLICT (category_id, period, window_start, user_id) DO UPDATE SET
        score = excluded.score, sort_key = excluded.sort_key, reached_at = excluded.reached_at,
        hidden = excluded.hidden, revision = greatest(old.revision + 1, excluded.revision)
    WHERE (old.score, old.sort_key, old.reached_at, old.hidden)
        IS DISTINCT FROM (excluded.score, excluded.sort_key, excluded.reached_at, excluded.hidden)
"""

SCORE_COLUMNS = (
    "category_id", "period", "window_start", "user_id", "score", "sort_key", "reached_at", "revision", "hidden",
)  # fmt: skip
SELECT_MONTHS = """
    SELECT DISTINCT date_trunc('month', created_at AT TIME ZONE 'UTC')::date AS month FROM staged_transaction
"""
SELECT_CHAINS = """
    SELECT t.* FROM score_transactions t WHERE t.user_id = ANY($1::uuid[]) ORDER BY t.user_id, t.seq
"""


@dataclass(frozen=True, slots=True)
class AffectedUser:
    """A user who is new or whose chain has grown."""

    user: Profile
    hidden: bool
    deleted: bool


class Staging:
    """The temporary tables of one import."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    @classmethod
    async def open(cls, connection: AsyncConnection) -> Staging:
        """Create the tables within the transaction of `connection`, after waiting for another import to end."""
        # Executed by SQLAlchemy, which begins the transaction with its first statement.
        await connection.execute(text("SET LOCAL statement_timeout = 0"))
        await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        await lock_until_commit(connection, AdvisoryLock.IMPORT)
        staging = cls((await connection.get_raw_connection()).driver_connection)
        for part in PARTS:
            await staging._execute(
                f"CREATE TEMP TABLE {_staged(part)} (LIKE {part.table.name} INCLUDING DEFAULTS) ON COMMIT DROP"
            )
        await staging._execute(CREATE_STAGED_SCORES)
        return staging

    async def add(self, part: Part, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """COPY rows of a part. Raises asyncpg.DataError for values of the wrong type."""
        await self._driver.copy_records_to_table(
            _staged(part), records=rows, columns=columns, timeout=STATEMENT_TIMEOUT
        )

    async def build_indexes(self) -> None:
        """Index and analyse the staged rows, and lock the users, before `find_problem` and `merge`."""
        await self._execute("CREATE INDEX ON staged_transaction (user_id, seq)")
        await self._execute("CREATE UNIQUE INDEX ON staged_user (id)")
        for part in PARTS:
            await self._execute(f"ANALYZE {_staged(part)}")
        await self._driver.fetch(LOCK_STAGED_USERS, timeout=STATEMENT_TIMEOUT)
        await self._execute(CREATE_AFFECTED_USERS)

    async def months(self) -> list[Month]:
        """Return the months of the staged transactions."""
        rows = await self._driver.fetch(SELECT_MONTHS, timeout=STATEMENT_TIMEOUT)
        return [Month.of(row["month"]) for row in rows]

    async def find_problem(self) -> str | None:
        """Return the reason why the archive cannot be merged; None if it can be."""
        for check in CHECKS:
            problem: str | None = await self._driver.fetchval(check, timeout=STATEMENT_TIMEOUT)
            if problem:
                return problem
        return None

    async def merge(self) -> Mapping[str, int]:
        """Merge everything except scores; return the number of new or changed rows of each part."""
        category, action, user, transaction, token, flag, *rest = PARTS
        merged = {part.name: await self._execute(_upsert(part)) for part in (category, action)}
        merged[user.name] = await self._execute(MERGE_USERS)
        merged[transaction.name] = await self._execute(MERGE_TRANSACTIONS)
        await self._execute(MERGE_REQUEST_KEYS)
        for statement in (UPDATE_HEADS, *ERASE_DETAILS):
            await self._execute(statement)
        merged[token.name] = await self._execute(MERGE_TOKENS)
        merged[flag.name] = await self._execute(MERGE_FLAG_DECISIONS) + await self._execute(_insert(flag))
        for part in rest:
            merged[part.name] = await self._execute(_insert(part))
        return merged

    async def affected_users(self) -> list[AffectedUser]:
        """Return the users whose scores must be computed, in order of id."""
        rows = await self._driver.fetch(
            "SELECT id, username, avatar_url, created_at, hidden_at, deleted_at FROM users "
            "WHERE id IN (SELECT id FROM affected) ORDER BY id",
            timeout=STATEMENT_TIMEOUT,
        )
        return [
            AffectedUser(
                Profile(row["id"], row["username"], row["avatar_url"], row["created_at"]),
                hidden=row["hidden_at"] is not None,
                deleted=row["deleted_at"] is not None,
            )
            for row in rows
        ]

    async def chains(self, users: Sequence[UUID]) -> Sequence[Mapping[str, Any]]:
        """Return all transactions of `users`, in order of user and position."""
        rows: Sequence[Mapping[str, Any]] = await self._driver.fetch(SELECT_CHAINS, users, timeout=STATEMENT_TIMEOUT)
        return rows

    async def add_scores(self, score_changes: Sequence[ScoreChange]) -> None:
        """COPY scores, to be merged by `merge_scores`."""
        rows = [
            (
                one.board.category, one.board.window.period.value, one.board.window.start, one.user_id, one.row.score,
                one.sort_key, one.row.reached_at, one.row.revision, one.row.hidden,
            )
            for one in score_changes
        ]  # fmt: skip
        await self._driver.copy_records_to_table(
            "staged_scores", records=rows, columns=SCORE_COLUMNS, timeout=STATEMENT_TIMEOUT
        )

    async def merge_scores(self) -> int:
        """Merge the scores that were added; return how many are new or changed."""
        return await self._execute(MERGE_SCORES)

    async def _execute(self, statement: str) -> int:
        tag: str = await self._driver.execute(statement, timeout=STATEMENT_TIMEOUT)
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0


def _staged(part: Part) -> str:
    return f"staged_{part.name}"


def _insert(part: Part) -> str:
    return f"INSERT INTO {part.table.name} SELECT * FROM {_staged(part)} ON CONFLICT DO NOTHING"  # noqa: S608 - constants


def _upsert(part: Part) -> str:
    columns = [column.name for column in part.table.c if column.name not in ("id", "created_at", "shards")]
    old, new = (", ".join(f"{side}.{name}" for name in columns) for side in ("old", "excluded"))
    return (
        f"INSERT INTO {part.table.name} AS old SELECT * FROM {_staged(part)} "  # noqa: S608 - constants
        f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in columns)} "
        f"WHERE ({old}) IS DISTINCT FROM ({new})"
    )
