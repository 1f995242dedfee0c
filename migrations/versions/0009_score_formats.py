"""A format for the scores of each category.

Revision: 0009_score_formats
Follows: 0008_scores_of_53_bits
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009_score_formats"
down_revision = "0008_scores_of_53_bits"
branch_labels = None
depends_on = None
compatible_with = "0002_partitioned_ledger"

DEFAULT = sa.text("""'{"kind": "INTEGER", "unit": null, "digits": null}'::jsonb""")


def upgrade() -> None:
    """Add the column: all present categories have whole numbers."""
    op.add_column("categories", sa.Column("score_format", postgresql.JSONB(), server_default=DEFAULT, nullable=False))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("categories", "score_format")
