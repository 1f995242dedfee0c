"""Milestones that users reached, and changes of the catalogue.

Revision: 0004
Follows: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
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
        sa.CheckConstraint("subject IN ('category', 'action')", name=op.f("ck_catalogue_changes_subject_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalogue_changes")),
    )
    op.create_index("ix_catalogue_changes_subject", "catalogue_changes", ["subject", "subject_id", "id"], unique=False)
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
        sa.CheckConstraint("(kind = 'SCORE') = (threshold > 0)", name=op.f("ck_milestones_threshold_is_of_scores")),
        sa.CheckConstraint("kind IN ('SCORE', 'TOP_TEN', 'FIRST_PLACE')", name=op.f("ck_milestones_kind_known")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name=op.f("fk_milestones_category_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_milestones_user_id")),
        sa.PrimaryKeyConstraint("user_id", "category_id", "kind", "threshold", name=op.f("pk_milestones")),
    )


def downgrade() -> None:
    op.drop_table("milestones")
    op.drop_index("ix_catalogue_changes_subject", table_name="catalogue_changes")
    op.drop_table("catalogue_changes")
