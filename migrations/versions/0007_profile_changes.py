"""Changed profiles, until they have been announced to all instances.

Revision: 0007_profile_changes
Follows: 0006_username_skeletons
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007_profile_changes"
down_revision = "0006_username_skeletons"
branch_labels = None
depends_on = None
compatible_with = "0002_partitioned_ledger"


def upgrade() -> None:
    """Create a small table, which nothing refers to."""
    op.create_table(
        "profile_changes",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "changed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("user_id", name="pk_profile_changes"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("profile_changes")
