"""What the database keeps of transactions that were moved to archive files."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Date, DateTime, Integer, LargeBinary, Numeric, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class ArchivedMonth(Base):
    """A file with the transactions of a month. Transactions that enter the month later make another part."""

    __tablename__ = "archived_months"

    month: Mapped[date] = mapped_column(Date, primary_key=True)
    part: Mapped[int] = mapped_column(
        Integer, primary_key=True, autoincrement=False, comment="From 1; late rows make another."
    )
    file: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    transactions: Mapped[int] = mapped_column(BigInteger)
    archived_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class ArchivedSegment(Base):
    """A stretch of a user's chain that is in archive files: the chain is verified around it.

    Adjacent segments are merged, so that most users have one.
    """

    __tablename__ = "archived_segments"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    first_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    last_seq: Mapped[int] = mapped_column(BigInteger)
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary)
    last_hash: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (CheckConstraint("first_seq <= last_seq", name="not_empty"),)


class ArchivedTotal(Base):
    """The sums of a user's archived transactions in a category, which are added to those of the ledger."""

    __tablename__ = "archived_totals"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    category_id: Mapped[str] = mapped_column(String(50), primary_key=True)
    delta: Mapped[int] = mapped_column(BigInteger)
    actions: Mapped[int] = mapped_column(BigInteger)
    corrected: Mapped[bool] = mapped_column(Boolean)
    reached_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    points: Mapped[Decimal] = mapped_column(Numeric)


class ArchivedAction(Base):
    """When a user last completed an action, among the archived transactions: for actions that cannot be repeated."""

    __tablename__ = "archived_actions"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    action_id: Mapped[str] = mapped_column(String(50), primary_key=True)
    last_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
