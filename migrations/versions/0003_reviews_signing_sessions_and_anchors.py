"""Reviews, signing sessions and anchors; entries of the ledger that are about a user as a whole.

Revision: 0003
Follows: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ledger_anchors",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("heads", sa.Integer(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger_anchors")),
    )
    op.create_table(
        "ledger_anchor_heads",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("anchor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["anchor"], ["ledger_anchors.number"], name=op.f("fk_ledger_anchor_heads_anchor")),
        sa.PrimaryKeyConstraint("user_id", "seq", name=op.f("pk_ledger_anchor_heads")),
    )
    op.create_index("ix_ledger_anchor_heads_anchor", "ledger_anchor_heads", ["anchor", "user_id"], unique=False)
    op.create_table(
        "signing_sessions",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_signing_sessions_user_id")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_signing_sessions")),
    )
    op.create_index("ix_signing_sessions_expires_at", "signing_sessions", ["expires_at"], unique=False)
    op.create_index("ix_signing_sessions_user_id", "signing_sessions", ["user_id", "created_at"], unique=False)
    op.create_table(
        "flags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.String(length=50), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("rules", postgresql.ARRAY(sa.String(length=30)), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False, comment="What the completion pays, or would pay."),
        sa.Column("status", sa.String(length=10), server_default=sa.text("'OPEN'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("decision_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(status = 'OPEN') = (decided_at IS NULL)", name=op.f("ck_flags_decided_or_open")),
        sa.CheckConstraint("status IN ('OPEN', 'RELEASED', 'REJECTED')", name=op.f("ck_flags_status_known")),
        sa.CheckConstraint("verdict IN ('FLAG', 'HOLD')", name=op.f("ck_flags_verdict_known")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name=op.f("fk_flags_category_id")),
        sa.ForeignKeyConstraint(["decision_id"], ["score_transactions.id"], name=op.f("fk_flags_decision_id")),
        sa.ForeignKeyConstraint(["id"], ["score_transactions.id"], name=op.f("fk_flags_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_flags_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flags")),
    )
    op.create_index("ix_flags_status_id", "flags", ["status", "id"], unique=False)
    op.create_index("ix_flags_user_id", "flags", ["user_id", "id"], unique=False)
    op.create_index(
        "uq_flags_one_open_per_user",
        "flags",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text("verdict = 'FLAG' AND status = 'OPEN'"),
    )
    op.alter_column(
        "score_transactions",
        "category_id",
        existing_type=sa.String(length=50),
        nullable=True,
        comment="NULL: about the user as a whole.",
    )
    op.create_check_constraint(
        op.f("ck_score_transactions_delta_has_category"), "score_transactions", "category_id IS NOT NULL OR delta = 0"
    )
    op.create_index(
        "ix_score_transactions_address",
        "score_transactions",
        ["address", "created_at"],
        unique=False,
        postgresql_where=sa.text("kind IN ('ACTION', 'SIGNED_ACTION', 'HELD')"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_score_transactions_address",
        table_name="score_transactions",
        postgresql_where=sa.text("kind IN ('ACTION', 'SIGNED_ACTION', 'HELD')"),
    )
    op.drop_constraint(op.f("ck_score_transactions_delta_has_category"), "score_transactions", type_="check")
    # The earlier tables have no place for such entries; their chains will not verify there.
    op.execute("UPDATE score_transactions SET category_id = 'global' WHERE category_id IS NULL")
    op.alter_column(
        "score_transactions",
        "category_id",
        existing_type=sa.String(length=50),
        nullable=False,
        comment=None,
        existing_comment="NULL: about the user as a whole.",
    )
    op.drop_index(
        "uq_flags_one_open_per_user",
        table_name="flags",
        postgresql_where=sa.text("verdict = 'FLAG' AND status = 'OPEN'"),
    )
    op.drop_index("ix_flags_user_id", table_name="flags")
    op.drop_index("ix_flags_status_id", table_name="flags")
    op.drop_table("flags")
    op.drop_index("ix_signing_sessions_user_id", table_name="signing_sessions")
    op.drop_index("ix_signing_sessions_expires_at", table_name="signing_sessions")
    op.drop_table("signing_sessions")
    op.drop_index("ix_ledger_anchor_heads_anchor", table_name="ledger_anchor_heads")
    op.drop_table("ledger_anchor_heads")
    op.drop_table("ledger_anchors")
