"""The tables of the first release, and the catalogue that every installation starts with.

Revision: 0001_baseline
Follows: none
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001_baseline"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything."""
    _create_functions()
    _create_users()
    _create_catalogue()
    _create_catalogue_changes()
    _create_action_tokens()
    _create_signing_sessions()
    _create_ledger()
    _create_scores()
    _create_flags()
    _create_milestones()
    _create_anchors()
    _create_closed_windows()
    _insert_catalogue()


def downgrade() -> None:
    """Drop everything."""
    # In the opposite order, so that no foreign key refers to a missing table. Indexes are dropped with their tables.
    for table in (
        "closing_scores",
        "window_closings",
        "ledger_anchor_heads",
        "ledger_anchors",
        "milestones",
        "flags",
        "scores",
        "score_transactions",
        "signing_sessions",
        "action_tokens",
        "catalogue_changes",
        "actions",
        "categories",
        "users",
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION leaderboard_raise_if(boolean, text, text)")


def _create_functions() -> None:
    # For a statement that must roll back everything it did: plain SQL cannot raise an error.
    op.execute(
        """
        CREATE FUNCTION leaderboard_raise_if(condition boolean, error_code text, problem text) RETURNS void
        LANGUAGE plpgsql AS $$
        BEGIN
            IF condition THEN RAISE EXCEPTION USING ERRCODE = error_code, MESSAGE = problem; END IF;
        END $$
        """
    )


def _create_users() -> None:
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("username", name=op.f("uq_users_username")),
        sa.CheckConstraint("ledger_seq >= 0", name=op.f("ck_users_ledger_seq_not_negative")),
    )


def _create_catalogue() -> None:
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_categories")),
        sa.CheckConstraint("id ~ '^[a-z0-9][a-z0-9_-]*$'", name=op.f("ck_categories_id_is_a_slug")),
        sa.CheckConstraint("operator IN ('SUM', 'BEST', 'LATEST')", name=op.f("ck_categories_operator_known")),
        sa.CheckConstraint("sort_order IN ('HIGH_FIRST', 'LOW_FIRST')", name=op.f("ck_categories_sort_order_known")),
        sa.CheckConstraint("score_cap BETWEEN 1 AND 2147483647", name=op.f("ck_categories_score_cap_in_range")),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actions")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name=op.f("fk_actions_category_id")),
        sa.CheckConstraint("id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]*$'", name=op.f("ck_actions_id_is_a_word")),
        sa.CheckConstraint("daily_limit >= 1", name=op.f("ck_actions_daily_limit_positive")),
        sa.CheckConstraint("min_duration >= 0 AND cooldown >= 0", name=op.f("ck_actions_durations_not_negative")),
        sa.CheckConstraint("points >= 1", name=op.f("ck_actions_points_positive")),
    )


def _create_catalogue_changes() -> None:
    op.create_table(
        "catalogue_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(length=10), nullable=False),
        sa.Column("subject_id", sa.String(length=50), nullable=False),
        sa.Column(
            "before",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
            comment="NULL: it is new.",
        ),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True, comment="NULL: the command line."),
        sa.Column("actor_role", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalogue_changes")),
        sa.CheckConstraint("subject IN ('category', 'action')", name=op.f("ck_catalogue_changes_subject_known")),
    )
    op.create_index("ix_catalogue_changes_subject", "catalogue_changes", ["subject", "subject_id", "id"])


def _create_action_tokens() -> None:
    # The user is not a foreign key: issuing a token locks the user's row, and users are never removed.
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
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_action_tokens")),
    )
    op.create_index(
        "ix_action_tokens_open",
        "action_tokens",
        ["user_id", "expires_at"],
        postgresql_where=sa.text("used_at IS NULL"),
    )
    op.create_index("ix_action_tokens_expires_at", "action_tokens", ["expires_at"])


def _create_signing_sessions() -> None:
    op.create_table(
        "signing_sessions",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_signing_sessions")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_signing_sessions_user_id")),
    )
    op.create_index("ix_signing_sessions_user_id", "signing_sessions", ["user_id", "created_at"])
    op.create_index("ix_signing_sessions_expires_at", "signing_sessions", ["expires_at"])


def _create_ledger() -> None:
    # Users and categories are not foreign keys: looking both up costs nearly as much as writing the row, and the
    # statement that writes it has locked the user's row. `leaderboard verify` checks both.
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
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score_transactions")),
        sa.CheckConstraint("score >= 0", name=op.f("ck_score_transactions_score_not_negative")),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_score_transactions_seq_positive")),
        sa.CheckConstraint(
            "category_id IS NOT NULL OR delta = 0", name=op.f("ck_score_transactions_delta_has_category")
        ),
    )
    op.create_index("uq_score_transactions_user_id_seq", "score_transactions", ["user_id", "seq"], unique=True)
    op.create_index(
        "uq_score_transactions_token_hash",
        "score_transactions",
        ["token_hash"],
        unique=True,
        postgresql_where=sa.text("token_hash IS NOT NULL"),
    )
    op.create_index(
        "uq_score_transactions_request_key",
        "score_transactions",
        ["request_key"],
        unique=True,
        postgresql_where=sa.text("request_key IS NOT NULL"),
    )
    op.create_index("ix_score_transactions_user_action", "score_transactions", ["user_id", "action_id", "created_at"])
    op.create_index(
        "ix_score_transactions_address",
        "score_transactions",
        ["address", "created_at"],
        postgresql_where=sa.text("kind IN ('ACTION', 'SIGNED_ACTION', 'HELD')"),
    )
    op.create_index("ix_score_transactions_created_at", "score_transactions", ["created_at"], postgresql_using="brin")


def _create_scores() -> None:
    op.create_table(
        "scores",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.String(length=50), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("window_start", sa.Date(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("sort_key", sa.Integer(), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("hidden", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "category_id", "period", "window_start", name=op.f("pk_scores")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name=op.f("fk_scores_category_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_scores_user_id")),
        sa.CheckConstraint("abs(sort_key) = score", name=op.f("ck_scores_sort_key_is_the_score")),
        sa.CheckConstraint("score >= 0", name=op.f("ck_scores_score_not_negative")),
    )
    op.create_index(
        "ix_scores_board_order",
        "scores",
        ["category_id", "period", "window_start", "hidden", "sort_key", "reached_at", "user_id"],
    )


def _create_flags() -> None:
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flags")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name=op.f("fk_flags_category_id")),
        sa.ForeignKeyConstraint(["decision_id"], ["score_transactions.id"], name=op.f("fk_flags_decision_id")),
        sa.ForeignKeyConstraint(["id"], ["score_transactions.id"], name=op.f("fk_flags_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_flags_user_id")),
        sa.CheckConstraint("(status = 'OPEN') = (decided_at IS NULL)", name=op.f("ck_flags_decided_or_open")),
        sa.CheckConstraint("status IN ('OPEN', 'RELEASED', 'REJECTED')", name=op.f("ck_flags_status_known")),
        sa.CheckConstraint("verdict IN ('FLAG', 'HOLD')", name=op.f("ck_flags_verdict_known")),
    )
    op.create_index("ix_flags_status_id", "flags", ["status", "id"])
    op.create_index("ix_flags_user_id", "flags", ["user_id", "id"])
    op.create_index(
        "uq_flags_one_open_per_user",
        "flags",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text("verdict = 'FLAG' AND status = 'OPEN'"),
    )


def _create_milestones() -> None:
    op.create_table(
        "milestones",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.String(length=50), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column(
            "threshold",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="The score; 0 unless the kind is SCORE.",
        ),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "category_id", "kind", "threshold", name=op.f("pk_milestones")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name=op.f("fk_milestones_category_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_milestones_user_id")),
        sa.CheckConstraint("(kind = 'SCORE') = (threshold > 0)", name=op.f("ck_milestones_threshold_is_of_scores")),
        sa.CheckConstraint("kind IN ('SCORE', 'TOP_TEN', 'FIRST_PLACE')", name=op.f("ck_milestones_kind_known")),
    )


def _create_anchors() -> None:
    op.create_table(
        "ledger_anchors",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("heads", sa.Integer(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger_anchors")),
    )
    # The user is not a foreign key: the row is evidence that a user was removed.
    op.create_table(
        "ledger_anchor_heads",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("anchor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "seq", name=op.f("pk_ledger_anchor_heads")),
        sa.ForeignKeyConstraint(["anchor"], ["ledger_anchors.number"], name=op.f("fk_ledger_anchor_heads_anchor")),
    )
    op.create_index("ix_ledger_anchor_heads_anchor", "ledger_anchor_heads", ["anchor", "user_id"])


def _create_closed_windows() -> None:
    op.create_table(
        "window_closings",
        sa.Column("category_id", sa.String(length=50), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("window_start", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("total_users", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("category_id", "period", "window_start", name=op.f("pk_window_closings")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name=op.f("fk_window_closings_category_id")),
    )
    op.create_table(
        "closing_scores",
        sa.Column("category_id", sa.String(length=50), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("window_start", sa.Date(), nullable=False),
        sa.Column("sort_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("users", sa.BigInteger(), nullable=False),
        sa.Column("above", sa.BigInteger(), nullable=False, comment="Users with a better score."),
        sa.PrimaryKeyConstraint("category_id", "period", "window_start", "sort_key", name=op.f("pk_closing_scores")),
        sa.ForeignKeyConstraint(
            ["category_id", "period", "window_start"],
            ["window_closings.category_id", "window_closings.period", "window_closings.window_start"],
            name=op.f("fk_closing_scores_category_id"),
        ),
    )


def _insert_catalogue() -> None:
    op.execute(
        """
        INSERT INTO categories (id, name, description) VALUES
            ('global', 'Global', 'Everything that is not played in a category of its own.'),
            ('arcade', 'Arcade', 'Fast games.'),
            ('puzzle', 'Puzzle', 'Games of thought.')
        """
    )
    op.execute(
        """
        INSERT INTO actions (id, name, description, category_id, points, difficulties, min_duration, daily_limit)
        VALUES
            ('COMPLETE_QUIZ', 'Quiz', 'Finish a quiz.', 'global', 10, '{}', 0, NULL),
            ('COMPLETE_LEVEL', 'Level', 'Clear a level.', 'global', 50, '{}', 0, NULL),
            ('DAILY_LOGIN', 'Daily login', 'Come back each day.', 'global', 5, '{}', 0, 1),
            ('COMPLETE_MISSION', 'Mission', 'Complete a mission.', 'global', 100,
                '{"easy": 25, "normal": 50, "hard": 100}', 0, NULL),
            ('ARCADE_RUN', 'Arcade run', 'Finish a run.', 'arcade', 20, '{}', 0, NULL),
            ('SOLVE_PUZZLE', 'Puzzle', 'Solve a puzzle.', 'puzzle', 30, '{"easy": 10, "hard": 30}', 0, NULL)
        """
    )
