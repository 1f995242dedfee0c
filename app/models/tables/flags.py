"""Flags: suspicious completions, and the decisions of moderators about them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class Flag(Base):
    """A flag, whose id is that of the transaction it is about.

    A user has at most one open flag of a paid completion, since further ones would not help a moderator. Transactions
    are not foreign keys, because a flag stays when the month of its transaction is archived.
    """

    __tablename__ = "flags"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    category_id: Mapped[str] = mapped_column(ForeignKey("categories.id"))
    verdict: Mapped[str] = mapped_column(String(10))
    rules: Mapped[list[str]] = mapped_column(ARRAY(String(30)))
    status: Mapped[str] = mapped_column(String(10), server_default=text("'OPEN'"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    decided_by: Mapped[UUID | None] = mapped_column()
    reason: Mapped[str | None] = mapped_column(String(500))
    decision_id: Mapped[UUID | None] = mapped_column()
    action_id: Mapped[str | None] = mapped_column(String(50))
    points: Mapped[int] = mapped_column(BigInteger, comment="What the completion pays, or would pay.")

    __table_args__ = (
        CheckConstraint("verdict IN ('FLAG', 'HOLD')", name="verdict_known"),
        CheckConstraint("status IN ('OPEN', 'RELEASED', 'REJECTED')", name="status_known"),
        CheckConstraint("(status = 'OPEN') = (decided_at IS NULL)", name="decided_or_open"),
        Index("ix_flags_status_id", "status", "id"),
        Index("ix_flags_user_id", "user_id", "id"),
        Index("ix_flags_decided_at", "decided_at", postgresql_where=text("decided_at IS NOT NULL")),
        Index(
            "uq_flags_one_open_per_user",
            "user_id",
            unique=True,
            postgresql_where=text("verdict = 'FLAG' AND status = 'OPEN'"),
        ),
    )
