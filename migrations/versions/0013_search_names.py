"""An index by which players are found by the beginning of their names.

Revision: 0013_search_names
Follows: 0012_known_previous_scores
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.models.online_ddl import create_index_concurrently, drop_index_concurrently

revision = "0013_search_names"
down_revision = "0012_known_previous_scores"
branch_labels = None
depends_on = None
compatible_with = "0012_known_previous_scores"

INDEX = "ix_users_name_for_search"


def upgrade() -> None:
    """Create the function that names are compared by, and its index."""
    # Decomposed, without the combining marks, in lower case. The database must be in UTF-8, as the service requires.
    op.execute(
        """
        CREATE OR REPLACE FUNCTION name_for_search(name text) RETURNS text
        LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN lower(regexp_replace(normalize(name, NFKD), U&'[\\0300-\\036F]', '', 'g'))
        """
    )
    create_index_concurrently(
        INDEX,
        "users",
        [sa.text("name_for_search(username) text_pattern_ops"), "id"],
        postgresql_where=sa.text("hidden_at IS NULL AND deleted_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the index and the function."""
    drop_index_concurrently(INDEX)
    op.execute("DROP FUNCTION name_for_search(text)")
