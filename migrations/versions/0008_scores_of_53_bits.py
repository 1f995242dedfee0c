"""Scores up to 2^53 - 1: the columns of scores, points and changes of scores become `bigint`.

Versions before it can use the result as long as no score is above 2^31 - 1.

Revision: 0008_scores_of_53_bits
Follows: 0007_profile_changes
"""

# ruff: noqa: S608 - the pieces of the statements are constants

from __future__ import annotations

from alembic import op
from alembic.util import CommandError
from sqlalchemy import text

from app.models.online_type_change import change_types

revision = "0008_scores_of_53_bits"
down_revision = "0007_profile_changes"
branch_labels = None
depends_on = None
compatible_with = "0002_partitioned_ledger"

COLUMNS = {
    "categories": ("score_cap",),
    "actions": ("points",),
    "action_tokens": ("points",),
    "flags": ("points",),
    "closing_scores": ("sort_key",),
    "scores": ("score", "sort_key"),
    "score_transactions": ("points", "delta", "score"),
}
TOTALS = "archived_totals"
"""The sum of the points of results may exceed a `bigint`."""

MAX_SCORE = 2**53 - 1
OLD_MAX_SCORE = 2**31 - 1


def upgrade() -> None:
    """Change the types while the service runs."""
    for table, columns in COLUMNS.items():
        change_types(table, dict.fromkeys(columns, "bigint"))
    change_types(TOTALS, {"points": "numeric"})
    _limit_caps(MAX_SCORE)


def downgrade() -> None:
    """Change the types back, which rewrites the tables. Refused where a score does not fit."""
    for table, columns in COLUMNS.items():
        too_large = " OR ".join(f"abs({column}) > {OLD_MAX_SCORE}" for column in columns)
        if op.get_bind().execute(text(f"SELECT EXISTS (SELECT FROM {table} WHERE {too_large})")).scalar_one():
            raise CommandError(
                f"the table {table} has scores above {OLD_MAX_SCORE}, which the older version cannot store"
            )
    _limit_caps(OLD_MAX_SCORE)
    for table, columns in COLUMNS.items():
        changes = ", ".join(f"ALTER COLUMN {column} TYPE integer" for column in columns)
        op.execute(f"ALTER TABLE {table} {changes}")
    op.execute(f"ALTER TABLE {TOTALS} ALTER COLUMN points TYPE bigint")


def _limit_caps(max_score: int) -> None:
    op.execute(
        "ALTER TABLE categories DROP CONSTRAINT ck_categories_score_cap_in_range, "
        f"ADD CONSTRAINT ck_categories_score_cap_in_range CHECK (score_cap BETWEEN 1 AND {max_score}) NOT VALID"
    )
    op.execute("ALTER TABLE categories VALIDATE CONSTRAINT ck_categories_score_cap_in_range")
