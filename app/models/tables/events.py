"""Events: those that were just committed, and all in their order."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Date, DateTime, Identity, SmallInteger, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class CommittedEvent(Base):
    """An event that was committed with its fact and has no position yet. Rows leave the table within a second or two.

    Ids of transactions that run at the same time do not have the order of their commits. Transactions about the same
    subject wait for each other before they insert, so of one subject the ids do.
    """

    __tablename__ = "committed_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[UUID] = mapped_column()
    type: Mapped[str] = mapped_column(String(50))
    subject: Mapped[str] = mapped_column(String(150))
    category_id: Mapped[str | None] = mapped_column(String(50))
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    data: Mapped[str] = mapped_column(Text)


class RecordedEvent(Base):
    """An event with its position, which has no gaps. The table is only inserted into, and partitioned by day."""

    __tablename__ = "events"

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    event_id: Mapped[UUID] = mapped_column()
    type: Mapped[str] = mapped_column(String(50))
    subject: Mapped[str] = mapped_column(String(150))
    category_id: Mapped[str | None] = mapped_column(String(50))
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    data: Mapped[str] = mapped_column(Text)

    __table_args__ = ({"postgresql_partition_by": "RANGE (recorded_at)"},)


class EventSequence(Base):
    """The last position that was given; one row, which is locked while positions are given."""

    __tablename__ = "event_sequence"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    last_position: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)


class BoardHead(Base):
    """The first ranks of a board when they were last compared: a list of `[user id, sort key, score]`."""

    __tablename__ = "board_heads"

    category_id: Mapped[str] = mapped_column(String(50), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    window_start: Mapped[date] = mapped_column(Date, primary_key=True)
    places: Mapped[list[Any]] = mapped_column(JSONB)


class EventConsumer(Base):
    """A stream that events are published to, and the position up to which it has them."""

    __tablename__ = "event_consumers"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
