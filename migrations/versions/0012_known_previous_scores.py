"""Checkpoints from which the past is read without a look-up in the ledger for each user who changed or is hidden.

Revision: 0012_known_previous_scores
Follows: 0011_api_keys
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012_known_previous_scores"
down_revision = "0011_api_keys"
branch_labels = None
depends_on = None
compatible_with = "0012_known_previous_scores"
blocking = "the checkpoints of older versions are deleted, and those versions cannot store new ones"

TIMES, USERS, NUMBERS = (
    postgresql.ARRAY(sa.DateTime(timezone=True)), postgresql.ARRAY(sa.Uuid()), postgresql.ARRAY(sa.BigInteger())
)  # fmt: skip


def upgrade() -> None:
    """Replace the columns. The job stores the checkpoints again, the oldest first."""
    _delete_checkpoints()
    for column in ("first_key", "first_time", "first_user"):
        op.drop_column("checkpoint_chunks", column)
    first = "With first_times and first_users: the first position of each chunk."
    changed = "Users with transactions since the checkpoint before."
    previous = "Their scores at the checkpoint before; NULL: the user was not on the board."
    op.add_column("checkpoints", sa.Column("first_keys", NUMBERS, nullable=False, comment=first))
    op.add_column("checkpoints", sa.Column("first_times", TIMES, nullable=False))
    op.add_column("checkpoints", sa.Column("first_users", USERS, nullable=False))
    op.add_column("checkpoints", sa.Column("changed_users", USERS, nullable=False, comment=changed))
    op.add_column("checkpoints", sa.Column("previous_scores", NUMBERS, nullable=False, comment=previous))
    op.add_column("checkpoints", sa.Column("previous_times", TIMES, nullable=False))
    op.create_table(
        "hidden_user_scores",
        sa.Column("category_id", sa.String(length=50), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("times", TIMES, nullable=False),
        sa.Column("scores", NUMBERS, nullable=False),
        sa.PrimaryKeyConstraint("category_id", "user_id", name=op.f("pk_hidden_user_scores")),
    )


def downgrade() -> None:
    """Restore the columns. The job of the older version stores the checkpoints again."""
    _delete_checkpoints()
    op.drop_table("hidden_user_scores")
    for column in ("first_keys", "first_times", "first_users", "changed_users", "previous_scores", "previous_times"):
        op.drop_column("checkpoints", column)
    op.add_column("checkpoint_chunks", sa.Column("first_key", sa.BigInteger(), nullable=False))
    op.add_column("checkpoint_chunks", sa.Column("first_time", sa.DateTime(timezone=True), nullable=False))
    op.add_column("checkpoint_chunks", sa.Column("first_user", sa.Uuid(), nullable=False))


def _delete_checkpoints() -> None:
    op.execute("TRUNCATE checkpoints, checkpoint_chunks, checkpoint_moves")
