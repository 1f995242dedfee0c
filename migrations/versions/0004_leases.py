"""Leases elect the instance that runs the jobs; schema revisions tell which versions can use the database.

Revision: 0004_leases
Follows: 0003_checkpoints
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_leases"
down_revision = "0003_checkpoints"
branch_labels = None
depends_on = None
compatible_with = "0002_partitioned_ledger"


def upgrade() -> None:
    """Create both tables, empty."""
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Uuid(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
        sa.UniqueConstraint("name", "token", name="uq_leases_name_token"),
    )
    op.create_table(
        "schema_revisions",
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("compatible_with", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("revision", name="pk_schema_revisions"),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("schema_revisions")
    op.drop_table("leases")
