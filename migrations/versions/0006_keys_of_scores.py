"""Scores are found by their user, and boards are read in their order.

Revision: 0006
Follows: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_scores_user_id", table_name="scores")
    op.drop_index("ix_scores_board_order", table_name="scores", postgresql_where=sa.text("NOT hidden"))
    op.drop_constraint(op.f("pk_scores"), "scores", type_="primary")
    op.create_primary_key(op.f("pk_scores"), "scores", ["user_id", "category_id", "period", "window_start"])
    op.create_index(
        "ix_scores_board_order",
        "scores",
        ["category_id", "period", "window_start", "hidden", "sort_key", "reached_at", "user_id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index("ix_scores_board_order", table_name="scores")
    op.drop_constraint(op.f("pk_scores"), "scores", type_="primary")
    op.create_primary_key(op.f("pk_scores"), "scores", ["category_id", "period", "window_start", "user_id"])
    op.create_index(
        "ix_scores_board_order",
        "scores",
        ["category_id", "period", "window_start", "sort_key", "reached_at", "user_id"],
        unique=False,
        postgresql_where=sa.text("NOT hidden"),
    )
    op.create_index("ix_scores_user_id", "scores", ["user_id"], unique=False)
