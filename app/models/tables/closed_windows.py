"""Closed windows: what is written down of a window once it is over."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Date, DateTime, ForeignKey, ForeignKeyConstraint, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class ClosedWindow(Base):
    """A window that was closed, and how many users its board ranked then. There is one row per window, for ever."""

    __tablename__ = "window_closings"

    category_id: Mapped[str] = mapped_column(ForeignKey("categories.id"), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    window_start: Mapped[date] = mapped_column(Date, primary_key=True)
    closed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    total_users: Mapped[int] = mapped_column(BigInteger)


class ScoreHistogramRow(Base):
    """How the users of a closed window were spread over its scores: one row per score that anybody had.

    With it the rank of any user is a look-up and a count among equals, however many users there were; a rank per user
    would be as many rows as there are users, every day.
    """

    __tablename__ = "closing_scores"

    category_id: Mapped[str] = mapped_column(String(50), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    window_start: Mapped[date] = mapped_column(Date, primary_key=True)
    sort_key: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    users: Mapped[int] = mapped_column(BigInteger)
    above: Mapped[int] = mapped_column(BigInteger, comment="Users with a better score.")

    __table_args__ = (
        ForeignKeyConstraint(
            ["category_id", "period", "window_start"],
            ["window_closings.category_id", "window_closings.period", "window_closings.window_start"],
        ),
    )
