"""The ledger in monthly partitions, with commitments in place of personal data.

Every chain is verified and hashed again, because its hashes covered addresses, user agents and reasons, which could
therefore never be erased. The anchors of the old hashes are deleted; the next run of the job anchors all chains.

Undoing it keeps the new hashes: the columns of the old version then contain the commitments.

Revision: 0002_partitioned_ledger
Follows: 0001_baseline
"""

# ruff: noqa: S608 - the pieces of the statements are constants

from __future__ import annotations

import hashlib
import hmac
import json
import os
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0002_partitioned_ledger"
down_revision = "0001_baseline"
branch_labels = None
depends_on = None
compatible_with = "0002_partitioned_ledger"
blocking = "the ledger is copied into a partitioned table, so that the service must be stopped"

PAGE_SIZE = 5000
"""Transactions that are in memory at a time."""

MONTHS_AHEAD = 3
MAX_MONTHS = 240
"""Months that get a partition, the newest; older transactions are stored in the default partition."""

PERSONAL = ("address", "user_agent", "reason")
COPIED = (
    "id", "user_id", "seq", "category_id", "action_id", "kind", "points", "delta", "score", "token_hash",
    "request_key", "request_hash", "actor_id", "actor_role", "address_commitment", "user_agent_commitment",
    "reason_commitment", "created_at", "previous_hash", "hash", "reason", "reason_salt",
)  # fmt: skip


def upgrade() -> None:
    """Convert the ledger, and create the tables of what expires and of what is archived."""
    _create_expiring_tables()
    _create_archive_tables()
    _extend_tokens_and_flags()
    op.execute("ALTER TABLE ledger_anchors ADD COLUMN thinned smallint NOT NULL DEFAULT 0, ADD COLUMN kept_hash bytea")
    levels = "0: all heads are kept; 1: one per hour; 2: per day; 3: per month."
    op.execute(f"COMMENT ON COLUMN ledger_anchors.thinned IS '{levels}'")
    op.execute("COMMENT ON COLUMN ledger_anchors.kept_hash IS 'Covers the heads that are kept.'")
    op.create_index("ix_ledger_anchors_thinned", "ledger_anchors", ["thinned", "number"])
    op.execute("ALTER TABLE score_transactions RENAME TO score_transactions_unpartitioned")
    op.execute("ALTER INDEX pk_score_transactions RENAME TO pk_score_transactions_unpartitioned")
    op.execute("ALTER INDEX uq_score_transactions_user_id_seq RENAME TO uq_unpartitioned_user_id_seq")
    _create_ledger()
    _convert_ledger()
    op.drop_table("score_transactions_unpartitioned")
    _index_ledger()
    # Update-heavy tables: room for new row versions on the same page, and vacuuming long before a fifth has changed.
    op.execute("ALTER TABLE scores SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05)")
    op.execute("ALTER TABLE users SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02)")
    op.execute("ALTER TABLE action_tokens SET (autovacuum_vacuum_scale_factor = 0.05)")


def downgrade() -> None:
    """Put the ledger into one table again. Refused where months were archived or request keys were used again."""
    bind = op.get_bind()
    if bind.execute(sa.text("SELECT EXISTS (SELECT FROM archived_months)")).scalar_one():
        raise CommandError("months of the ledger were archived, and the older version needs all transactions")
    repeated = "SELECT request_key FROM score_transactions WHERE request_key IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
    if key := bind.execute(sa.text(f"{repeated} LIMIT 1")).scalar_one_or_none():
        raise CommandError(f"the request key {key} was used again, which the older version does not allow")
    op.execute("ALTER TABLE action_tokens RESET (autovacuum_vacuum_scale_factor)")
    op.execute("ALTER TABLE users RESET (fillfactor, autovacuum_vacuum_scale_factor)")
    op.execute("ALTER TABLE scores RESET (autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor)")
    _create_unpartitioned_ledger()
    op.drop_index("ix_ledger_anchors_thinned")
    # An anchor without all of its heads cannot be verified by the older version.
    if bind.execute(sa.text("SELECT EXISTS (SELECT FROM ledger_anchors WHERE thinned > 0)")).scalar_one():
        op.execute("DELETE FROM ledger_anchor_heads")
        op.execute("DELETE FROM ledger_anchors")
    op.execute("ALTER TABLE ledger_anchors DROP COLUMN thinned, DROP COLUMN kept_hash")
    for table in ("archived_actions", "archived_totals", "archived_segments", "archived_months"):
        op.drop_table(table)
    op.drop_index("ix_flags_decided_at")
    op.execute("ALTER TABLE flags DROP COLUMN action_id")
    for column in ("decision_id", "id"):
        op.create_foreign_key(f"fk_flags_{column}", "flags", "score_transactions", [column], ["id"])
    op.drop_index("ix_action_tokens_used")
    op.drop_index("ix_action_tokens_unused")
    op.create_index("ix_action_tokens_expires_at", "action_tokens", ["expires_at"])
    op.execute("ALTER TABLE action_tokens DROP COLUMN transaction_id")
    op.drop_table("request_keys")
    op.drop_table("transaction_origins")


def _create_expiring_tables() -> None:
    op.create_table(
        "transaction_origins",
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("played", sa.Boolean(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("created_at", "transaction_id", name=op.f("pk_transaction_origins")),
    )
    op.create_index(
        "ix_transaction_origins_address",
        "transaction_origins",
        ["address", "created_at"],
        postgresql_where=sa.text("played"),
    )
    op.create_table(
        "request_keys",
        sa.Column("request_key", sa.String(length=150), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="The time of the transaction."),
        sa.Column("permanent", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("request_key", name=op.f("pk_request_keys")),
    )
    op.create_index(
        "ix_request_keys_created_at", "request_keys", ["created_at"], postgresql_where=sa.text("NOT permanent")
    )


def _create_archive_tables() -> None:
    op.create_table(
        "archived_months",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False, comment="From 1; late rows make another."),
        sa.Column("file", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("transactions", sa.BigInteger(), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("month", "part", name=op.f("pk_archived_months")),
    )
    op.create_table(
        "archived_segments",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("last_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "first_seq", name=op.f("pk_archived_segments")),
        sa.CheckConstraint("first_seq <= last_seq", name=op.f("ck_archived_segments_not_empty")),
    )
    op.create_table(
        "archived_totals",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.String(length=50), nullable=False),
        sa.Column("delta", sa.BigInteger(), nullable=False),
        sa.Column("actions", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("corrected", sa.Boolean(), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("user_id", "category_id", name=op.f("pk_archived_totals")),
    )
    op.create_table(
        "archived_actions",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("action_id", sa.String(length=50), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "action_id", name=op.f("pk_archived_actions")),
    )


def _extend_tokens_and_flags() -> None:
    op.execute("ALTER TABLE action_tokens ADD COLUMN transaction_id uuid")
    op.execute("COMMENT ON COLUMN action_tokens.transaction_id IS 'The transaction that consumed it.'")
    op.execute("COMMENT ON COLUMN action_tokens.used_at IS 'The time of the transaction that consumed it.'")
    op.execute(
        """
        UPDATE action_tokens k SET transaction_id = t.id, used_at = t.created_at
        FROM score_transactions t WHERE t.token_hash = k.token_hash
        """
    )
    op.drop_index("ix_action_tokens_expires_at")
    op.create_index(
        "ix_action_tokens_unused", "action_tokens", ["expires_at"], postgresql_where=sa.text("used_at IS NULL")
    )
    op.create_index(
        "ix_action_tokens_used", "action_tokens", ["used_at"], postgresql_where=sa.text("used_at IS NOT NULL")
    )
    op.execute("ALTER TABLE flags ADD COLUMN action_id varchar(50)")
    op.execute("UPDATE flags f SET action_id = t.action_id FROM score_transactions t WHERE t.id = f.id")
    op.drop_constraint("fk_flags_id", "flags")
    op.drop_constraint("fk_flags_decision_id", "flags")
    op.create_index("ix_flags_decided_at", "flags", ["decided_at"], postgresql_where=sa.text("decided_at IS NOT NULL"))


def _create_ledger() -> None:
    op.create_table(
        "score_transactions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="Position in the user's chain, from 1."),
        sa.Column("category_id", sa.String(length=50), nullable=True, comment="NULL: about the user as a whole."),
        sa.Column("action_id", sa.String(length=50), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False, comment="What was asked for, before the cap."),
        sa.Column("delta", sa.Integer(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=True),
        sa.Column(
            "request_key",
            sa.String(length=150),
            nullable=True,
            comment="The client's action id or the server's idempotency key, with its namespace.",
        ),
        sa.Column("request_hash", sa.LargeBinary(), nullable=True, comment="Content behind request_key."),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_role", sa.String(length=20), nullable=False),
        sa.Column("address_commitment", sa.String(length=43), nullable=True),
        sa.Column("user_agent_commitment", sa.String(length=43), nullable=True),
        sa.Column("reason_commitment", sa.String(length=43), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column(
            "reason", sa.String(length=500), nullable=True, comment="NULL: there is none, or the user was deleted."
        ),
        sa.Column("reason_salt", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("score >= 0", name=op.f("ck_score_transactions_score_not_negative")),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_score_transactions_seq_positive")),
        sa.CheckConstraint(
            "category_id IS NOT NULL OR delta = 0", name=op.f("ck_score_transactions_delta_has_category")
        ),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.execute("CREATE TABLE score_transactions_default PARTITION OF score_transactions DEFAULT")
    bind = op.get_bind()
    used = bind.execute(
        sa.text(
            """
            SELECT DISTINCT date_trunc('month', created_at AT TIME ZONE 'UTC') AS month
            FROM score_transactions_unpartitioned ORDER BY 1 DESC LIMIT :most
            """
        ),
        {"most": MAX_MONTHS},
    ).scalars()
    now = bind.execute(sa.text("SELECT now()")).scalar_one().astimezone(UTC)
    months = {(month.year, month.month) for month in used}
    months |= {_after(now.year, now.month, ahead) for ahead in range(MONTHS_AHEAD + 1)}
    for year, month in sorted(months):
        following_year, following_month = _after(year, month, 1)
        op.execute(
            f"""
            CREATE TABLE score_transactions_{year:04d}_{month:02d} PARTITION OF score_transactions
            FOR VALUES FROM ('{year:04d}-{month:02d}-01 00:00:00+00')
                       TO ('{following_year:04d}-{following_month:02d}-01 00:00:00+00')
            """
        )


def _index_ledger() -> None:
    op.create_primary_key("pk_score_transactions", "score_transactions", ["id", "created_at"])
    op.create_index(
        "uq_score_transactions_user_id_seq", "score_transactions", ["user_id", "seq", "created_at"], unique=True
    )
    op.create_index("ix_score_transactions_user_action", "score_transactions", ["user_id", "action_id", "created_at"])
    op.create_index("ix_score_transactions_created_at", "score_transactions", ["created_at"], postgresql_using="brin")


def _convert_ledger() -> None:
    """Copy all transactions, a page at a time, in order of the chains."""
    bind = op.get_bind()
    page = sa.text(
        """
        SELECT * FROM score_transactions_unpartitioned WHERE (user_id, seq) > (:user_id, :seq)
        ORDER BY user_id, seq LIMIT :size
        """
    )
    insert = sa.text(
        f"""
        INSERT INTO score_transactions ({", ".join(COPIED)})
        SELECT * FROM unnest(
            CAST(:id AS uuid[]), CAST(:user_id AS uuid[]), CAST(:seq AS bigint[]), CAST(:category_id AS text[]),
            CAST(:action_id AS text[]), CAST(:kind AS text[]), CAST(:points AS int[]), CAST(:delta AS int[]),
            CAST(:score AS int[]), CAST(:token_hash AS bytea[]), CAST(:request_key AS text[]),
            CAST(:request_hash AS bytea[]), CAST(:actor_id AS uuid[]), CAST(:actor_role AS text[]),
            CAST(:address_commitment AS text[]), CAST(:user_agent_commitment AS text[]),
            CAST(:reason_commitment AS text[]), CAST(:created_at AS timestamptz[]), CAST(:previous_hash AS bytea[]),
            CAST(:hash AS bytea[]), CAST(:reason AS text[]), CAST(:reason_salt AS bytea[])
        )
        """
    )
    insert_origins = sa.text(
        """
        INSERT INTO transaction_origins (created_at, transaction_id, user_id, played, salt, address, user_agent)
        SELECT * FROM unnest(
            CAST(:created_at AS timestamptz[]), CAST(:id AS uuid[]), CAST(:user_id AS uuid[]),
            CAST(:played AS boolean[]), CAST(:origin_salt AS bytea[]), CAST(:address AS text[]),
            CAST(:user_agent AS text[])
        )
        """
    )
    update_heads = sa.text(
        """
        UPDATE users u SET ledger_hash = h.hash
        FROM unnest(CAST(:users AS uuid[]), CAST(:seqs AS bigint[]), CAST(:hashes AS bytea[])) AS h(id, seq, hash)
        WHERE u.id = h.id AND u.ledger_seq = h.seq
        """
    )
    position: dict[str, Any] = {"user_id": "00000000-0000-0000-0000-000000000000", "seq": 0}
    old_hash = new_hash = b""
    owner, last_seq = None, 0
    while rows := bind.execute(page, position | {"size": PAGE_SIZE}).mappings().all():
        converted = []
        ends: dict[Any, tuple[int, bytes]] = {}
        for row in rows:
            if row["user_id"] != owner:
                owner, last_seq, old_hash, new_hash = row["user_id"], 0, b"", b""
            if (row["seq"], row["previous_hash"]) != (last_seq + 1, old_hash) or _hash(row, old_hash) != row["hash"]:
                raise CommandError(
                    f"user {owner}, transaction {row['seq']} ({row['id']}) does not match its hash or the transaction "
                    "before it: run `leaderboard verify` of the version before this migration"
                )
            entry = _convert(row, new_hash)
            old_hash, new_hash, last_seq = row["hash"], entry["hash"], row["seq"]
            converted.append(entry)
            ends[owner] = (last_seq, new_hash)
        bind.execute(insert, {name: [entry[name] for entry in converted] for name in COPIED})
        if origins := [entry for entry in converted if entry["origin_salt"]]:
            names = ("created_at", "id", "user_id", "played", "origin_salt", "address", "user_agent")
            bind.execute(insert_origins, {name: [entry[name] for entry in origins] for name in names})
        seqs, hashes = zip(*ends.values(), strict=True)
        bind.execute(update_heads, {"users": list(ends), "seqs": list(seqs), "hashes": list(hashes)})
        position = {"user_id": rows[-1]["user_id"], "seq": rows[-1]["seq"]}
    if owner is not None:
        op.execute("DELETE FROM ledger_anchor_heads")
        op.execute("DELETE FROM ledger_anchors")
        op.execute(
            """
            INSERT INTO request_keys (request_key, transaction_id, created_at, permanent)
            SELECT request_key, id, created_at, split_part(request_key, ':', 1) NOT IN ('server', 'signed', 'adjust')
            FROM score_transactions WHERE request_key IS NOT NULL
            """
        )


def _convert(row: Any, previous_hash: bytes) -> dict[str, Any]:
    origin_salt, reason_salt = os.urandom(16), os.urandom(16)
    has_origin = row["address"] is not None or row["user_agent"] is not None
    entry = dict(row) | {
        "address_commitment": _commit(origin_salt, "address", row["address"]),
        "user_agent_commitment": _commit(origin_salt, "user_agent", row["user_agent"]),
        "reason_commitment": _commit(reason_salt, "reason", row["reason"]),
        "reason_salt": None if row["reason"] is None else reason_salt,
        "origin_salt": origin_salt if has_origin else None,
        "played": row["kind"] in ("ACTION", "SIGNED_ACTION", "HELD"),
        "previous_hash": previous_hash,
    }
    hashed = entry | {name: entry[f"{name}_commitment"] for name in PERSONAL}
    return entry | {"hash": _hash(hashed, previous_hash)}


def _commit(salt: bytes, field: str, value: str | None) -> str | None:
    if value is None:
        return None
    return urlsafe_b64encode(hmac.digest(salt, f"{field}:{value}".encode(), "sha256")).rstrip(b"=").decode()


def _hash(row: Any, previous_hash: bytes) -> bytes:
    created_at: datetime = row["created_at"]
    content = [
        str(row["id"]), str(row["user_id"]), row["seq"], row["category_id"], row["action_id"], row["kind"],
        row["points"], row["delta"], row["score"], _hex(row["token_hash"]), row["request_key"],
        _hex(row["request_hash"]), None if row["actor_id"] is None else str(row["actor_id"]), row["actor_role"],
        row["address"], row["user_agent"], row["reason"], round(created_at.timestamp() * 1_000_000),
    ]  # fmt: skip
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(previous_hash + text.encode()).digest()


def _hex(raw: bytes | None) -> str | None:
    return None if raw is None else raw.hex()


def _after(year: int, month: int, months: int) -> tuple[int, int]:
    number = year * 12 + month - 1 + months
    return number // 12, number % 12 + 1


def _create_unpartitioned_ledger() -> None:
    op.execute("ALTER TABLE score_transactions RENAME TO score_transactions_partitioned")
    op.execute("ALTER INDEX pk_score_transactions RENAME TO pk_score_transactions_partitioned")
    for index in ("uq_score_transactions_user_id_seq", "ix_score_transactions_user_action"):
        op.execute(f"DROP INDEX {index}")
    op.execute("DROP INDEX ix_score_transactions_created_at")
    op.execute(
        """
        CREATE TABLE score_transactions (
            id uuid NOT NULL, user_id uuid NOT NULL, seq bigint NOT NULL, category_id varchar(50),
            action_id varchar(50), kind varchar(20) NOT NULL, points integer NOT NULL, delta integer NOT NULL,
            score integer NOT NULL, token_hash bytea, request_key varchar(150), request_hash bytea, actor_id uuid,
            actor_role varchar(20) NOT NULL, address varchar(45), user_agent varchar(200), reason varchar(500),
            created_at timestamptz NOT NULL, previous_hash bytea NOT NULL, hash bytea NOT NULL
        )
        """
    )
    for column, comment in (
        ("seq", "Position in the user''s chain, from 1."),
        ("category_id", "NULL: about the user as a whole."),
        ("points", "What was asked for, before the cap."),
        ("request_key", "The client''s action id or the server''s idempotency key, with its namespace."),
        ("request_hash", "Content behind request_key."),
    ):
        op.execute(f"COMMENT ON COLUMN score_transactions.{column} IS '{comment}'")
    op.execute(
        """
        INSERT INTO score_transactions
        SELECT id, user_id, seq, category_id, action_id, kind, points, delta, score, token_hash, request_key,
               request_hash, actor_id, actor_role, address_commitment, user_agent_commitment, reason_commitment,
               created_at, previous_hash, hash
        FROM score_transactions_partitioned
        """
    )
    op.drop_table("score_transactions_partitioned")
    op.create_primary_key("pk_score_transactions", "score_transactions", ["id"])
    for name, condition in (
        ("score_not_negative", "score >= 0"),
        ("seq_positive", "seq >= 1"),
        ("delta_has_category", "category_id IS NOT NULL OR delta = 0"),
    ):
        op.create_check_constraint(op.f(f"ck_score_transactions_{name}"), "score_transactions", condition)
    op.create_index("uq_score_transactions_user_id_seq", "score_transactions", ["user_id", "seq"], unique=True)
    for column in ("token_hash", "request_key"):
        op.create_index(
            f"uq_score_transactions_{column}",
            "score_transactions",
            [column],
            unique=True,
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
    op.create_index("ix_score_transactions_user_action", "score_transactions", ["user_id", "action_id", "created_at"])
    op.create_index(
        "ix_score_transactions_address",
        "score_transactions",
        ["address", "created_at"],
        postgresql_where=sa.text("kind IN ('ACTION', 'SIGNED_ACTION', 'HELD')"),
    )
    op.create_index("ix_score_transactions_created_at", "score_transactions", ["created_at"], postgresql_using="brin")
