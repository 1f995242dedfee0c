"""Actions whose value the game states, and metadata of entries.

Create stated actions, and remove metadata, when no older version runs any more: it knows neither.

Revision: 0010_stated_actions
Follows: 0009_score_formats
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010_stated_actions"
down_revision = "0009_score_formats"
branch_labels = None
depends_on = None
compatible_with = "0002_partitioned_ledger"

TOKEN_POINTS = "NULL: the value is stated at the submission."
ACTION_POINTS = "NULL: a difficulty must be given, or the value is stated."

# Without a difficulty these demonstration actions paid as much as the hardest one.
PAY_THE_LEAST = """
    UPDATE actions SET points = d.least
    FROM (VALUES ('COMPLETE_MISSION', 100, 25, '{"easy": 25, "normal": 50, "hard": 100}'::jsonb),
                 ('SOLVE_PUZZLE', 30, 10, '{"easy": 10, "hard": 30}'::jsonb)) AS d(id, points, least, difficulties)
    WHERE actions.id = d.id AND actions.points = d.points AND actions.difficulties = d.difficulties
"""


def upgrade() -> None:
    """Add the columns and the table, and lower what two demonstration actions pay without a difficulty."""
    op.add_column("actions", sa.Column("kind", sa.String(length=10), server_default="FIXED", nullable=False))
    op.add_column(
        "actions",
        sa.Column("min_value", sa.BigInteger(), nullable=True, comment="The lowest value of a STATED action."),
    )
    op.add_column(
        "actions",
        sa.Column("max_value", sa.BigInteger(), nullable=True, comment="The highest value of a STATED action."),
    )
    op.execute("ALTER TABLE actions ALTER COLUMN points DROP NOT NULL")
    op.execute(f"COMMENT ON COLUMN actions.points IS '{ACTION_POINTS}'")
    for name, condition in (
        ("kind_known", "kind IN ('FIXED', 'STATED')"),
        ("values_in_order", "1 <= min_value AND min_value <= max_value"),
    ):
        op.execute(f"ALTER TABLE actions ADD CONSTRAINT ck_actions_{name} CHECK ({condition}) NOT VALID")
        op.execute(f"ALTER TABLE actions VALIDATE CONSTRAINT ck_actions_{name}")
    op.execute(PAY_THE_LEAST)
    op.add_column("categories", sa.Column("entry_metadata", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute("ALTER TABLE action_tokens ALTER COLUMN points DROP NOT NULL")
    op.execute(f"COMMENT ON COLUMN action_tokens.points IS '{TOKEN_POINTS}'")
    op.create_table(
        "entry_metadata",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.String(length=50), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "period",
            sa.String(length=10),
            server_default=sa.text("''"),
            nullable=False,
            comment="Empty: for boards of every period.",
        ),
        sa.Column("content", sa.Text(), nullable=False, comment="JSON of at most 1 KiB."),
        sa.PrimaryKeyConstraint("user_id", "category_id", "reached_at", "period", name=op.f("pk_entry_metadata")),
    )
    op.create_index("ix_entry_metadata_reached_at", "entry_metadata", ["reached_at"], postgresql_using="brin")


def downgrade() -> None:
    """Drop the table and the columns. Stated actions are switched off, and open tokens of them are deleted."""
    op.drop_table("entry_metadata")
    op.execute("DELETE FROM action_tokens WHERE points IS NULL AND used_at IS NULL")
    op.execute("UPDATE action_tokens SET points = 0 WHERE points IS NULL")
    op.execute("ALTER TABLE action_tokens ALTER COLUMN points SET NOT NULL")
    op.execute("COMMENT ON COLUMN action_tokens.points IS NULL")
    op.drop_column("categories", "entry_metadata")
    op.execute("UPDATE actions SET points = 1, enabled = false WHERE points IS NULL")
    op.execute("ALTER TABLE actions ALTER COLUMN points SET NOT NULL")
    op.execute("COMMENT ON COLUMN actions.points IS NULL")
    op.drop_constraint("ck_actions_values_in_order", "actions")
    op.drop_constraint("ck_actions_kind_known", "actions")
    op.drop_column("actions", "max_value")
    op.drop_column("actions", "min_value")
    op.drop_column("actions", "kind")
