"""API keys of back ends.

Revision: 0011_api_keys
Follows: 0010_stated_actions
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011_api_keys"
down_revision = "0010_stated_actions"
branch_labels = None
depends_on = None
compatible_with = "0002_partitioned_ledger"


def upgrade() -> None:
    """Create the table, empty."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "name",
            sa.String(length=50),
            nullable=False,
            comment="Not unique: a key and its successor have the same name.",
        ),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="SHA-256; the key itself is not stored."),
        sa.Column("hint", sa.String(length=20), nullable=False, comment="The first characters of the key."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("hash", name="uq_api_keys_hash"),
    )


def downgrade() -> None:
    """Drop the table, and with it all keys."""
    op.drop_table("api_keys")
