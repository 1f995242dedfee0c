"""Scores: one row per user on each board."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Date, DateTime, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.boards.periods import Window
from app.models.tables.base import Base


class Score(Base):
    """The score of a user on one board (category, period, window).

    The primary key begins with the user, because a submission changes the rows of one user on several boards: they are
    adjacent in the index. Whole boards are read by the index of the board order.

    Board order is `sort_key, reached_at, user_id`, ascending; `sort_key` is the score, negated if the highest score is
    the best. `revision` grows with every change of the row; copies with a higher revision ignore this state.
    """

    __tablename__ = "scores"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    category_id: Mapped[str] = mapped_column(ForeignKey("categories.id"), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    window_start: Mapped[date] = mapped_column(Date, primary_key=True)
    reached_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    hidden: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    score: Mapped[int] = mapped_column(BigInteger)
    sort_key: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        CheckConstraint("score >= 0", name="score_not_negative"),
        CheckConstraint("abs(sort_key) = score", name="sort_key_is_the_score"),
        Index(
            "ix_scores_board_order",
            "category_id",
            "period",
            "window_start",
            "hidden",
            "sort_key",
            "reached_at",
            "user_id",
        ),
    )


UNRANKED_ZERO = """(s.score = 0 AND NOT EXISTS (
    SELECT FROM categories z WHERE z.id = s.category_id AND z.operator = 'SUM' AND z.sort_order = 'HIGH_FIRST'
))"""
"""The SQL condition that row `s` has a score of 0 which is not ranked; see `Category.ranks_zero`."""


def window_key(window: Window) -> tuple[str, date]:
    """Return the values of the columns `period` and `window_start` for a window."""
    return window.period.value, window.start
