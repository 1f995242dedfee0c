"""Closings of windows: what each ended with, once.

Revision: 0005
Follows: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "window_closings",
        sa.Column("category_id", sa.String(length=50), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("window_start", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("total_users", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name=op.f("fk_window_closings_category_id")),
        sa.PrimaryKeyConstraint("category_id", "period", "window_start", name=op.f("pk_window_closings")),
    )
    op.create_table(
        "closing_scores",
        sa.Column("category_id", sa.String(length=50), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("window_start", sa.Date(), nullable=False),
        sa.Column("sort_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("users", sa.BigInteger(), nullable=False),
        sa.Column("above", sa.BigInteger(), nullable=False, comment="Users with a better score."),
        sa.ForeignKeyConstraint(
            ["category_id", "period", "window_start"],
            ["window_closings.category_id", "window_closings.period", "window_closings.window_start"],
            name=op.f("fk_closing_scores_closing"),
        ),
        sa.PrimaryKeyConstraint("category_id", "period", "window_start", "sort_key", name=op.f("pk_closing_scores")),
    )


def downgrade() -> None:
    op.drop_table("closing_scores")
    op.drop_table("window_closings")
