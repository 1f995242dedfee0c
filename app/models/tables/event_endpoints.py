"""Endpoints that events are delivered to as webhooks, and the deliveries that have not succeeded."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class EventEndpoint(Base):
    """An endpoint. All events up to `position` are delivered, not meant for it, or in `event_deliveries`.

    While `paused_until` is set, deliveries have failed one after the other since `failing_since`.
    """

    __tablename__ = "event_endpoints"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(String(2000))
    types: Mapped[list[str]] = mapped_column(ARRAY(String(50)), comment="Empty: all.")
    categories: Mapped[list[str]] = mapped_column(ARRAY(String(50)), comment="Empty: all.")
    secret: Mapped[str] = mapped_column(String(100))
    previous_secret: Mapped[str | None] = mapped_column(String(100))
    previous_secret_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    position: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Since the last success.")
    failing_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    paused_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    disabled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    disabled_reason: Mapped[str | None] = mapped_column(String(100))
    last_error: Mapped[str | None] = mapped_column(String(300))
    last_success_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    lost: Mapped[int] = mapped_column(
        BigInteger, server_default=text("0"), comment="Events that were deleted before they were read for it."
    )
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    created_by: Mapped[UUID | None] = mapped_column(comment="NULL: the command line.")


class EventDelivery(Base):
    """A delivery that has not succeeded.

    It is due at `next_attempt_at`, waits for an earlier one of its subject, or is a dead letter since `dead_at`.
    """

    __tablename__ = "event_deliveries"

    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("event_endpoints.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    event_id: Mapped[UUID] = mapped_column()
    type: Mapped[str] = mapped_column(String(50))
    subject: Mapped[str] = mapped_column(String(150))
    envelope: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer)
    first_attempt_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    next_attempt_at: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True), comment="NULL: an earlier delivery of the subject comes first."
    )
    dead_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_error: Mapped[str | None] = mapped_column(String(300))

    __table_args__ = (
        Index("ix_event_deliveries_due", "endpoint_id", "next_attempt_at", postgresql_where=text("dead_at IS NULL")),
        Index(
            "ix_event_deliveries_subject",
            "endpoint_id",
            "subject",
            "position",
            postgresql_where=text("dead_at IS NULL"),
        ),
        Index("ix_event_deliveries_dead_at", "dead_at", postgresql_where=text("dead_at IS NOT NULL")),
    )
