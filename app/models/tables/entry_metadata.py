"""Entry metadata: what the game has attached to transactions, for the entries of boards."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.boards.periods import Period
from app.models.tables.base import Base


class EntryMetadata(Base):
    """The metadata of one transaction, found by the time at which it set a score.

    An entry of a board has the user and the time `reached_at`, at which one transaction set its score: so neither rows
    of scores nor copies of boards refer to this table. Rows belong to users and categories as transactions do, without
    foreign keys.
    """

    __tablename__ = "entry_metadata"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    category_id: Mapped[str] = mapped_column(String(50), primary_key=True)
    reached_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    period: Mapped[str] = mapped_column(
        String(10), primary_key=True, server_default=text("''"), comment="Empty: for boards of every period."
    )
    content: Mapped[str] = mapped_column(Text, comment="JSON of at most 1 KiB.")

    __table_args__ = (Index("ix_entry_metadata_reached_at", "reached_at", postgresql_using="brin"),)


def period_key(period: Period | None) -> str:
    """Return the value of the column `period`; None stands for all periods."""
    return "" if period is None else period.value
