"""In how many shards the boards of a category are in Redis.

Split a category when no older version runs any more: it keeps the boards of every category in one shard.

Revision: 0014_shards_of_categories
Follows: 0013_search_names
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014_shards_of_categories"
down_revision = "0013_search_names"
branch_labels = None
depends_on = None
compatible_with = "0012_known_previous_scores"


def upgrade() -> None:
    """Add the column: all present categories have one shard."""
    op.add_column(
        "categories",
        sa.Column(
            "shards", sa.Integer(), server_default=sa.text("1"), nullable=False, comment="Of its boards in Redis."
        ),
    )
    op.execute(
        "ALTER TABLE categories ADD CONSTRAINT ck_categories_shards_in_range CHECK (shards BETWEEN 1 AND 16) NOT VALID"
    )
    op.execute("ALTER TABLE categories VALIDATE CONSTRAINT ck_categories_shards_in_range")


def downgrade() -> None:
    """Drop the column: the boards of split categories are loaded into one shard again."""
    op.drop_column("categories", "shards")
