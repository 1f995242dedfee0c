"""first tables

Revision: 0001
Follows:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "categories",
        sa.Column("id", sa.String(length=50), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("sort_order", sa.String(length=10), server_default=sa.text("'HIGH_FIRST'"), nullable=False),
        sa.Column("operator", sa.String(length=10), server_default=sa.text("'SUM'"), nullable=False),
        sa.Column("score_cap", sa.Integer(), nullable=True, comment="NULL: the cap of the settings."),
        sa.Column(
            "periods",
            postgresql.ARRAY(sa.String(length=10)),
            server_default=sa.text("'{ALL_TIME,DAILY,WEEKLY,MONTHLY}'::varchar[]"),
            nullable=False,
        ),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("id ~ '^[a-z0-9][a-z0-9_-]*$'", name=op.f("ck_categories_id_is_a_slug")),
        sa.CheckConstraint("operator IN ('SUM', 'BEST', 'LATEST')", name=op.f("ck_categories_operator_known")),
        sa.CheckConstraint("sort_order IN ('HIGH_FIRST', 'LOW_FIRST')", name=op.f("ck_categories_sort_order_known")),
        sa.CheckConstraint("score_cap BETWEEN 1 AND 2147483647", name=op.f("ck_categories_score_cap_in_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_categories")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.String(length=60), nullable=False),
        sa.Column(
            "claimed_username",
            sa.String(length=50),
            nullable=False,
            comment="What the access token said last; `username` differs when that name was taken.",
        ),
        sa.Column("avatar_url", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ledger_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("ledger_hash", sa.LargeBinary(), server_default=sa.text("'\\x'::bytea"), nullable=False),
        sa.CheckConstraint("ledger_seq >= 0", name=op.f("ck_users_ledger_seq_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("username", name=op.f("uq_users_username")),
    )
    op.create_table(
        "action_tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("action_id", sa.String(length=50), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment="The client's own metadata."
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_action_tokens_user_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_action_tokens")),
    )
    op.create_index("ix_action_tokens_expires_at", "action_tokens", ["expires_at"], unique=False)
    op.create_index(
        "ix_action_tokens_open",
        "action_tokens",
        ["user_id", "expires_at"],
        unique=False,
        postgresql_where=sa.text("used_at IS NULL"),
    )
    op.create_table(
        "actions",
        sa.Column("id", sa.String(length=50), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("category_id", sa.String(length=50), server_default=sa.text("'global'"), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column(
            "difficulties",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="Name of the difficulty to its points.",
        ),
        sa.Column("repeatable", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("min_duration", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Seconds."),
        sa.Column("cooldown", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Seconds."),
        sa.Column("daily_limit", sa.Integer(), nullable=True, comment="Completions per user and UTC day; NULL: any."),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]*$'", name=op.f("ck_actions_id_is_a_word")),
        sa.CheckConstraint("daily_limit >= 1", name=op.f("ck_actions_daily_limit_positive")),
        sa.CheckConstraint("min_duration >= 0 AND cooldown >= 0", name=op.f("ck_actions_durations_not_negative")),
        sa.CheckConstraint("points >= 1", name=op.f("ck_actions_points_positive")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name=op.f("fk_actions_category_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actions")),
    )
    op.create_table(
        "score_transactions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="Position in the user's chain, from 1."),
        sa.Column("category_id", sa.String(length=50), nullable=False),
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
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("score >= 0", name=op.f("ck_score_transactions_score_not_negative")),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_score_transactions_seq_positive")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name=op.f("fk_score_transactions_category_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_score_transactions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score_transactions")),
    )
    op.create_index(
        "ix_score_transactions_created_at", "score_transactions", ["created_at"], unique=False, postgresql_using="brin"
    )
    op.create_index(
        "ix_score_transactions_user_action", "score_transactions", ["user_id", "action_id", "created_at"], unique=False
    )
    op.create_index(
        "uq_score_transactions_request_key",
        "score_transactions",
        ["request_key"],
        unique=True,
        postgresql_where=sa.text("request_key IS NOT NULL"),
    )
    op.create_index(
        "uq_score_transactions_token_hash",
        "score_transactions",
        ["token_hash"],
        unique=True,
        postgresql_where=sa.text("token_hash IS NOT NULL"),
    )
    op.create_index("uq_score_transactions_user_id_seq", "score_transactions", ["user_id", "seq"], unique=True)
    op.create_table(
        "scores",
        sa.Column("category_id", sa.String(length=50), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("window_start", sa.Date(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("sort_key", sa.Integer(), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("hidden", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("abs(sort_key) = score", name=op.f("ck_scores_sort_key_is_the_score")),
        sa.CheckConstraint("score >= 0", name=op.f("ck_scores_score_not_negative")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name=op.f("fk_scores_category_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_scores_user_id")),
        sa.PrimaryKeyConstraint("category_id", "period", "window_start", "user_id", name=op.f("pk_scores")),
    )
    op.create_index(
        "ix_scores_board_order",
        "scores",
        ["category_id", "period", "window_start", "sort_key", "reached_at", "user_id"],
        unique=False,
        postgresql_where=sa.text("NOT hidden"),
    )
    op.create_index("ix_scores_user_id", "scores", ["user_id"], unique=False)


def downgrade() -> None:

    op.drop_index("ix_scores_user_id", table_name="scores")
    op.drop_index("ix_scores_board_order", table_name="scores", postgresql_where=sa.text("NOT hidden"))
    op.drop_table("scores")
    op.drop_index("uq_score_transactions_user_id_seq", table_name="score_transactions")
    op.drop_index(
        "uq_score_transactions_token_hash",
        table_name="score_transactions",
        postgresql_where=sa.text("token_hash IS NOT NULL"),
    )
    op.drop_index(
        "uq_score_transactions_request_key",
        table_name="score_transactions",
        postgresql_where=sa.text("request_key IS NOT NULL"),
    )
    op.drop_index("ix_score_transactions_user_action", table_name="score_transactions")
    op.drop_index("ix_score_transactions_created_at", table_name="score_transactions", postgresql_using="brin")
    op.drop_table("score_transactions")
    op.drop_table("actions")
    op.drop_index("ix_action_tokens_open", table_name="action_tokens", postgresql_where=sa.text("used_at IS NULL"))
    op.drop_index("ix_action_tokens_expires_at", table_name="action_tokens")
    op.drop_table("action_tokens")
    op.drop_table("users")
    op.drop_table("categories")
