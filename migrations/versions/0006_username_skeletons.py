"""A unique skeleton for each name, so that nobody gets a name that looks like another player's.

Revision: 0006_username_skeletons
Follows: 0005_copies_in_redis
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.domain.players.names import skeleton

revision = "0006_username_skeletons"
down_revision = "0005_copies_in_redis"
branch_labels = None
depends_on = None
compatible_with = "0002_partitioned_ledger"
blocking = "names that look alike must be found before the constraint exists, and none may be added meanwhile"

BATCH_SIZE = 10_000

NEXT_USERS = sa.text(
    "SELECT id, username FROM users WHERE id > :last AND deleted_at IS NULL ORDER BY id LIMIT :batch_size"
)
# Of the present names that look alike, the first keeps its skeleton, and no name is changed.
STORE_SKELETONS = sa.text(
    """
    UPDATE users u SET username_skeleton = n.skeleton
    FROM (SELECT DISTINCT ON (skeleton) id, skeleton
          FROM unnest(CAST(:ids AS uuid[]), CAST(:skeletons AS text[])) AS g(id, skeleton) ORDER BY skeleton, id) n
    WHERE u.id = n.id AND NOT EXISTS (SELECT FROM users o WHERE o.username_skeleton = n.skeleton)
    """
)


def upgrade() -> None:
    """Add the column and the constraint, and compute the skeletons of the present names."""
    comment = "Equal for names that look alike. Null for synthetic and deleted users."
    op.add_column("users", sa.Column("username_skeleton", sa.String(length=200), nullable=True, comment=comment))
    op.create_unique_constraint("uq_users_username_skeleton", "users", ["username_skeleton"])
    connection, last = op.get_bind(), "00000000-0000-0000-0000-000000000000"
    while users := connection.execute(NEXT_USERS, {"last": last, "batch_size": BATCH_SIZE}).all():
        ids, skeletons = [user.id for user in users], [skeleton(user.username) for user in users]
        connection.execute(STORE_SKELETONS, {"ids": ids, "skeletons": skeletons})
        last = ids[-1]


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("users", "username_skeleton")
