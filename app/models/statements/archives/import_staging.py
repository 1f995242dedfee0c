"""Staging: an archive on its way into the tables, in temporary ones that nobody else sees.

Everything happens within one transaction of one connection. Calls go to the driver itself, for COPY, and because what
is imported may take longer than the service grants its statements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.posting import ScoreChange
from app.domain.users import Profile
from app.models.advisory_locks import AdvisoryLock, lock_until_commit
from app.models.statements.archives.archive import PARTS, Part

TIMEOUT = 3600.0
"""Seconds for one statement of an import."""

STAGED_SCORES = "CREATE TEMP TABLE staged_scores (LIKE scores INCLUDING DEFAULTS) ON COMMIT DROP"

# The users whose chains grow, or who are new: they are locked, so that no score of theirs changes meanwhile.
AFFECTED = """
    CREATE TEMP TABLE affected ON COMMIT DROP AS
    SELECT s.id, coalesce(u.ledger_seq, -1) AS had FROM staged_user s LEFT JOIN users u ON u.id = s.id
    WHERE u.id IS NULL OR u.ledger_seq < s.ledger_seq
"""
LOCK_USERS = "SELECT id FROM users WHERE id IN (SELECT id FROM staged_user) ORDER BY id FOR NO KEY UPDATE"

# Heads that the transactions do not lead to.
BROKEN_HEAD = """
    SELECT format('user %s: the chain should end with transaction %s, it ends with %s', s.id, s.ledger_seq,
                  coalesce(t.seq, 0))
    FROM staged_user s
    LEFT JOIN (SELECT DISTINCT ON (user_id) user_id, seq, hash FROM staged_transaction ORDER BY user_id, seq DESC) t
        ON t.user_id = s.id
    WHERE (s.ledger_seq, s.ledger_hash) IS DISTINCT FROM (coalesce(t.seq, 0), coalesce(t.hash, ''::bytea))
    UNION ALL
    SELECT format('transaction %s is of a user who is not there', t.id) FROM staged_transaction t
    WHERE t.seq = 1 AND NOT EXISTS (SELECT FROM staged_user s WHERE s.id = t.user_id)
    LIMIT 1
"""
FORKED = """
    SELECT format('user %s: transaction %s is %s here and %s in the archive', t.user_id, t.seq, t.id, s.id)
    FROM staged_transaction s JOIN score_transactions t USING (user_id, seq)
    WHERE t.hash <> s.hash LIMIT 1
"""
REORDERED = """
    SELECT format('category %s: it has scores, and another order or operator than in the archive', c.id)
    FROM staged_category s JOIN categories c USING (id)
    WHERE (c.sort_order, c.operator) <> (s.sort_order, s.operator)
      AND EXISTS (SELECT FROM scores WHERE category_id = c.id) LIMIT 1
"""
# What foreign keys do not see to.
OWNERLESS = """
    SELECT format('token %s is of a user who is not there', encode(k.token_hash, 'hex')) FROM staged_token k
    WHERE NOT EXISTS (SELECT FROM staged_user s WHERE s.id = k.user_id)
      AND NOT EXISTS (SELECT FROM users u WHERE u.id = k.user_id)
    UNION ALL
    SELECT format('transaction %s is of category %s, which is not there', t.id, t.category_id) FROM staged_transaction t
    WHERE t.category_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM staged_category s WHERE s.id = t.category_id)
      AND NOT EXISTS (SELECT FROM categories c WHERE c.id = t.category_id)
    LIMIT 1
"""
CHECKS = (BROKEN_HEAD, FORKED, REORDERED, OWNERLESS)

# A name that somebody else bears gets a suffix made from the user's id, as when a user is first seen.
MERGE_USERS = """
    INSERT INTO users (id, username, claimed_username, avatar_url, created_at, hidden_at, deleted_at)
    SELECT s.id,
           CASE WHEN EXISTS (SELECT FROM users o WHERE o.username = s.username)
                THEN left(s.username, 50) || '-' || left(replace(s.id::text, '-', ''), 9) ELSE s.username END,
           s.claimed_username, s.avatar_url, s.created_at, s.hidden_at, s.deleted_at
    FROM staged_user s ORDER BY s.id
    ON CONFLICT (id) DO NOTHING
"""
MERGE_TRANSACTIONS = """
    INSERT INTO score_transactions SELECT s.* FROM staged_transaction s JOIN affected a ON a.id = s.user_id
    WHERE s.seq > a.had ORDER BY s.user_id, s.seq
"""
# What the ledger tells of a user comes with it: hidden, shown again, deleted.
MOVE_HEADS = """
    UPDATE users u SET
        ledger_seq = s.ledger_seq, ledger_hash = s.ledger_hash, hidden_at = s.hidden_at, deleted_at = s.deleted_at,
        username = CASE WHEN s.deleted_at IS NULL THEN u.username ELSE s.username END,
        claimed_username = CASE WHEN s.deleted_at IS NULL THEN u.claimed_username ELSE s.claimed_username END,
        avatar_url = CASE WHEN s.deleted_at IS NULL THEN u.avatar_url END
    FROM staged_user s JOIN affected a USING (id) WHERE u.id = s.id
"""
MERGE_TOKENS = """
    INSERT INTO action_tokens AS old SELECT s.* FROM staged_token s
    ON CONFLICT (token_hash) DO UPDATE SET used_at = excluded.used_at WHERE old.used_at IS NULL
"""
DECIDE_FLAGS = """
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
CHAINS = """
    SELECT t.* FROM score_transactions t WHERE t.user_id = ANY($1::uuid[]) ORDER BY t.user_id, t.seq
"""


@dataclass(frozen=True, slots=True)
class AffectedUser:
    """A user whose chain grew."""

    user: Profile
    hidden: bool
    deleted: bool


class Staging:
    """The temporary tables of one import."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    @classmethod
    async def open(cls, connection: AsyncConnection) -> Staging:
        """Begin an import within the transaction of `connection`; it waits for another one under way."""
        # By way of SQLAlchemy, which begins the transaction with the first statement it sees.
        await connection.execute(text("SET LOCAL statement_timeout = 0"))
        await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        await lock_until_commit(connection, AdvisoryLock.IMPORT)
        staging = cls((await connection.get_raw_connection()).driver_connection)
        for part in PARTS:
            await staging._do(
                f"CREATE TEMP TABLE {_staged(part)} (LIKE {part.table.name} INCLUDING DEFAULTS) ON COMMIT DROP"
            )
        await staging._do(STAGED_SCORES)
        return staging

    async def add(self, part: Part, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """COPY rows of a part. Raises what asyncpg raises for values that do not fit."""
        await self._driver.copy_records_to_table(_staged(part), records=rows, columns=columns, timeout=TIMEOUT)

    async def index(self) -> None:
        """Prepare for `problem` and the merging: all rows are there."""
        await self._do("CREATE INDEX ON staged_transaction (user_id, seq)")
        await self._do("CREATE UNIQUE INDEX ON staged_user (id)")
        for part in PARTS:
            await self._do(f"ANALYZE {_staged(part)}")
        await self._driver.fetch(LOCK_USERS, timeout=TIMEOUT)
        await self._do(AFFECTED)

    async def problem(self) -> str | None:
        """Why the archive cannot be merged, if so."""
        for check in CHECKS:
            found: str | None = await self._driver.fetchval(check, timeout=TIMEOUT)
            if found:
                return found
        return None

    async def merge(self) -> Mapping[str, int]:
        """Merge everything but scores; returns how many rows of each part are new or different."""
        category, action, user, transaction, token, flag, *rest = PARTS
        merged = {part.name: await self._do(_upsert(part)) for part in (category, action)}
        merged[user.name] = await self._do(MERGE_USERS)
        merged[transaction.name] = await self._do(MERGE_TRANSACTIONS)
        await self._do(MOVE_HEADS)
        merged[token.name] = await self._do(MERGE_TOKENS)
        merged[flag.name] = await self._do(DECIDE_FLAGS) + await self._do(_insert(flag))
        for part in rest:
            merged[part.name] = await self._do(_insert(part))
        return merged

    async def affected(self) -> list[AffectedUser]:
        """The users whose scores are to be made anew, in order of id."""
        rows = await self._driver.fetch(
            "SELECT id, username, avatar_url, created_at, hidden_at, deleted_at FROM users "
            "WHERE id IN (SELECT id FROM affected) ORDER BY id",
            timeout=TIMEOUT,
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
        """Every transaction of `users`, chain by chain in order."""
        rows: Sequence[Mapping[str, Any]] = await self._driver.fetch(CHAINS, users, timeout=TIMEOUT)
        return rows

    async def add_scores(self, score_changes: Sequence[ScoreChange]) -> None:
        """COPY scores, which `merge_scores` merges."""
        rows = [
            (
                one.board.category, one.board.window.period.value, one.board.window.start, one.user_id, one.row.score,
                one.sort_key, one.row.reached_at, one.row.revision, one.row.hidden,
            )
            for one in score_changes
        ]  # fmt: skip
        await self._driver.copy_records_to_table("staged_scores", records=rows, columns=SCORE_COLUMNS, timeout=TIMEOUT)

    async def merge_scores(self) -> int:
        """Bring the scores up to what was added; returns how many are new or different."""
        return await self._do(MERGE_SCORES)

    async def _do(self, statement: str) -> int:
        tag: str = await self._driver.execute(statement, timeout=TIMEOUT)
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0


def _staged(part: Part) -> str:
    return f"staged_{part.name}"


def _insert(part: Part) -> str:
    return f"INSERT INTO {part.table.name} SELECT * FROM {_staged(part)} ON CONFLICT DO NOTHING"  # noqa: S608 - constants


def _upsert(part: Part) -> str:
    columns = [column.name for column in part.table.c if column.name not in ("id", "created_at")]
    old, new = (", ".join(f"{side}.{name}" for name in columns) for side in ("old", "excluded"))
    return (
        f"INSERT INTO {part.table.name} AS old SELECT * FROM {_staged(part)} "  # noqa: S608 - constants
        f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in columns)} "
        f"WHERE ({old}) IS DISTINCT FROM ({new})"
    )
