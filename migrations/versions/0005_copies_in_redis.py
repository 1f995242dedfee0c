"""What all instances must know about the copies in Redis: missed writes, and the generations of caches.

Revision: 0005_copies_in_redis
Follows: 0004_leases
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_copies_in_redis"
down_revision = "0004_leases"
branch_labels = None
depends_on = None
compatible_with = "0002_partitioned_ledger"


def upgrade() -> None:
    """Create two small tables, which nothing refers to."""
    op.create_table(
        "missed_writes",
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.String(50), nullable=False),
        sa.Column("missed_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("instance_id", "category_id", name="pk_missed_writes"),
    )
    op.create_table(
        "cache_generations",
        sa.Column("name", sa.String(30), nullable=False),
        sa.Column("generation", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_cache_generations"),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("cache_generations")
    op.drop_table("missed_writes")
