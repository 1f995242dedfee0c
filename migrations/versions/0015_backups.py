"""When the database was last backed up.

Revision: 0015_backups
Follows: 0014_shards_of_categories
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015_backups"
down_revision = "0014_shards_of_categories"
branch_labels = None
depends_on = None
compatible_with = "0012_known_previous_scores"


def upgrade() -> None:
    """Create the table, empty."""
    op.create_table(
        "backups",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True, comment="The size of the last successful one."),
        sa.PrimaryKeyConstraint("kind", name="pk_backups"),
    )


def downgrade() -> None:
    """Drop the table. It says nothing that the folder of the backups does not say."""
    op.drop_table("backups")
