"""Closed windows: the records that are made once a window is over."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Date, DateTime, ForeignKey, ForeignKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class ClosedWindow(Base):
    """A window that was closed, with the number of ranked users at that time. There is one row per window."""

    __tablename__ = "window_closings"

    category_id: Mapped[str] = mapped_column(ForeignKey("categories.id"), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    window_start: Mapped[date] = mapped_column(Date, primary_key=True)
    closed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    total_users: Mapped[int] = mapped_column(BigInteger)


class ScoreHistogramRow(Base):
    """One row of the score histogram of a closed window: how many users had a score.

    The rank of a user is found by one look-up and a count among equal scores. A stored rank per user would be a row
    per user and window.
    """

    __tablename__ = "closing_scores"

    category_id: Mapped[str] = mapped_column(String(50), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    window_start: Mapped[date] = mapped_column(Date, primary_key=True)
    users: Mapped[int] = mapped_column(BigInteger)
    above: Mapped[int] = mapped_column(BigInteger, comment="Users with a better score.")
    sort_key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)

    __table_args__ = (
        ForeignKeyConstraint(
            ["category_id", "period", "window_start"],
            ["window_closings.category_id", "window_closings.period", "window_closings.window_start"],
        ),
    )
