"""Checkpoints of all-time boards, and the indexes that find what changed between one of them and an instant.

Revision: 0003_checkpoints
Follows: 0002_partitioned_ledger
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003_checkpoints"
down_revision = "0002_partitioned_ledger"
branch_labels = None
depends_on = None
compatible_with = "0002_partitioned_ledger"
blocking = "PostgreSQL cannot build indexes of a partitioned table concurrently"


def upgrade() -> None:
    """Create the tables and indexes. A job fills the tables, the oldest transactions first."""
    # Rows that change no score are not in the indexes: nothing about a past board depends on them.
    op.create_index(
        "ix_score_transactions_category_id_created_at",
        "score_transactions",
        ["category_id", "created_at", "user_id"],
        postgresql_where=sa.text("delta <> 0"),
    )
    op.create_index(
        "ix_score_transactions_user_id_category_id",
        "score_transactions",
        ["user_id", "category_id", "created_at", "seq"],
        postgresql_include=["score"],
        postgresql_where=sa.text("delta <> 0"),
    )
    op.create_index("ix_users_hidden", "users", ["id"], postgresql_where=sa.text("hidden_at IS NOT NULL"))
    op.create_table(
        "checkpoints",
        sa.Column("category_id", sa.String(length=50), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "through_user",
            sa.Uuid(),
            nullable=False,
            comment="Transactions at the instant `as_of` are included up to those of this user.",
        ),
        sa.Column("number", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("transactions", sa.BigInteger(), nullable=False, comment="Since the checkpoint before."),
        sa.Column("chunks", postgresql.ARRAY(sa.BigInteger()), nullable=False, comment="In board order."),
        sa.Column("users", postgresql.ARRAY(sa.Integer()), nullable=False, comment="Users in each chunk."),
        sa.Column("moves", postgresql.ARRAY(sa.Integer()), nullable=False, comment="Moves of each chunk so far."),
        sa.PrimaryKeyConstraint("category_id", "as_of", "through_user", name=op.f("pk_checkpoints")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name=op.f("fk_checkpoints_category_id")),
        sa.UniqueConstraint("number", name=op.f("uq_checkpoints_number")),
    )
    op.create_table(
        "checkpoint_chunks",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("category_id", sa.String(length=50), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="The checkpoint that stored the chunk."),
        sa.Column("first_key", sa.BigInteger(), nullable=False),
        sa.Column("first_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_user", sa.Uuid(), nullable=False),
        sa.Column("user_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("scores", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("times", postgresql.ARRAY(sa.DateTime(timezone=True)), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkpoint_chunks")),
    )
    op.create_index("ix_checkpoint_chunks_category_id_number", "checkpoint_chunks", ["category_id", "number"])
    op.create_table(
        "checkpoint_moves",
        sa.Column("chunk_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("arrived", sa.Boolean(), nullable=False),
        sa.Column("score", sa.BigInteger(), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("chunk_id", "number", "user_id", "arrived", name=op.f("pk_checkpoint_moves")),
        sa.ForeignKeyConstraint(
            ["chunk_id"], ["checkpoint_chunks.id"], name=op.f("fk_checkpoint_moves_chunk_id"), ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    """Drop the tables and indexes; everything in them can be computed again."""
    op.drop_table("checkpoint_moves")
    op.drop_table("checkpoint_chunks")
    op.drop_table("checkpoints")
    op.drop_index("ix_users_hidden", "users")
    op.drop_index("ix_score_transactions_user_id_category_id", "score_transactions")
    op.drop_index("ix_score_transactions_category_id_created_at", "score_transactions")
