"""The outbox of events, the endpoints that they are delivered to, and the deliveries that have not succeeded.

Revision: 0016_events
Follows: 0015_backups
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016_events"
down_revision = "0015_backups"
branch_labels = None
depends_on = None
compatible_with = "0012_known_previous_scores"

TABLES = (
    "event_deliveries", "event_endpoints", "event_consumers", "board_heads", "event_sequence", "events",
    "committed_events",
)  # fmt: skip


def upgrade() -> None:
    """Create the tables, empty. The partitions of `events` are created when they are needed."""
    op.create_table(
        "committed_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        *_content(),
        sa.PrimaryKeyConstraint("id", name="pk_committed_events"),
    )
    # Every row is deleted soon after it was inserted.
    op.execute(
        "ALTER TABLE committed_events SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)"
    )
    op.create_table(
        "events",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        *_content(),
        sa.PrimaryKeyConstraint("position", "recorded_at", name="pk_events"),
        postgresql_partition_by="RANGE (recorded_at)",
    )
    op.create_table(
        "event_sequence",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_event_sequence_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_event_sequence"),
    )
    op.execute("INSERT INTO event_sequence (id, last_position) VALUES (1, 0)")
    op.create_table(
        "board_heads",
        sa.Column("category_id", sa.String(length=50), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("window_start", sa.Date(), nullable=False),
        sa.Column("places", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("category_id", "period", "window_start", name="pk_board_heads"),
    )
    op.create_table(
        "event_consumers",
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_event_consumers"),
    )
    _create_endpoints()
    _create_deliveries()


def downgrade() -> None:
    """Drop the tables: endpoints, and events that were not delivered, are lost."""
    for table in TABLES:
        op.drop_table(table)


def _content() -> list[sa.Column[object]]:
    return [
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=50), nullable=False),
        sa.Column("subject", sa.String(length=150), nullable=False),
        sa.Column("category_id", sa.String(length=50), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
    ]


def _create_endpoints() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "event_endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("types", postgresql.ARRAY(sa.String(length=50)), nullable=False, comment="Empty: all."),
        sa.Column("categories", postgresql.ARRAY(sa.String(length=50)), nullable=False, comment="Empty: all."),
        sa.Column("secret", sa.String(length=100), nullable=False),
        sa.Column("previous_secret", sa.String(length=100), nullable=True),
        sa.Column("previous_secret_until", moment, nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column(
            "failures", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Since the last success."
        ),
        sa.Column("failing_since", moment, nullable=True),
        sa.Column("paused_until", moment, nullable=True),
        sa.Column("disabled_at", moment, nullable=True),
        sa.Column("disabled_reason", sa.String(length=100), nullable=True),
        sa.Column("last_error", sa.String(length=300), nullable=True),
        sa.Column("last_success_at", moment, nullable=True),
        sa.Column(
            "lost",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Events that were deleted before they were read for it.",
        ),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True, comment="NULL: the command line."),
        sa.PrimaryKeyConstraint("id", name="pk_event_endpoints"),
    )


def _create_deliveries() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "event_deliveries",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=50), nullable=False),
        sa.Column("subject", sa.String(length=150), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_attempt_at", moment, nullable=True),
        sa.Column(
            "next_attempt_at", moment, nullable=True, comment="NULL: an earlier delivery of the subject comes first."
        ),
        sa.Column("dead_at", moment, nullable=True),
        sa.Column("last_error", sa.String(length=300), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["event_endpoints.id"], name="fk_event_deliveries_endpoint_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("endpoint_id", "position", name="pk_event_deliveries"),
    )
    pending = sa.text("dead_at IS NULL")
    op.create_index(
        "ix_event_deliveries_due", "event_deliveries", ["endpoint_id", "next_attempt_at"], postgresql_where=pending
    )
    op.create_index(
        "ix_event_deliveries_subject",
        "event_deliveries",
        ["endpoint_id", "subject", "position"],
        postgresql_where=pending,
    )
    op.create_index(
        "ix_event_deliveries_dead_at",
        "event_deliveries",
        ["dead_at"],
        postgresql_where=sa.text("dead_at IS NOT NULL"),
    )
