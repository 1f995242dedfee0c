"""Milestones that users have reached."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class ReachedMilestone(Base):
    """A milestone of a user in a category; the primary key ensures that it is reached once."""

    __tablename__ = "milestones"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    category_id: Mapped[str] = mapped_column(ForeignKey("categories.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    threshold: Mapped[int] = mapped_column(
        Integer, primary_key=True, autoincrement=False, comment="The score; 0 unless the kind is SCORE."
    )
    reached_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        CheckConstraint("kind IN ('SCORE', 'TOP_TEN', 'FIRST_PLACE')", name="kind_known"),
        CheckConstraint("(kind = 'SCORE') = (threshold > 0)", name="threshold_is_of_scores"),
    )
