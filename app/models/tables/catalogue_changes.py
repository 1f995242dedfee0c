"""The audit log of changes of the catalogue: actor, time, reason, and the states before and after."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class CatalogueChange(Base):
    """One change of one category or action; rows are never changed. Ids sort by time."""

    __tablename__ = "catalogue_changes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(10))
    subject_id: Mapped[str] = mapped_column(String(50))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), comment="NULL: it is new.")
    after: Mapped[dict[str, Any]] = mapped_column(JSONB)
    actor_id: Mapped[UUID | None] = mapped_column(comment="NULL: the command line.")
    actor_role: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        CheckConstraint("subject IN ('category', 'action')", name="subject_known"),
        Index("ix_catalogue_changes_subject", "subject", "subject_id", "id"),
    )
