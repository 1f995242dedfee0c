"""Leases: which instance does the work that one instance does for all, and until when."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class LeaseRow(Base):
    """A lease. `token` grows with every change of the holder; `expires_at` is by the clock of PostgreSQL."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    holder: Mapped[UUID]
    token: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    # It makes the token part of a key: changing a key waits for FOR KEY SHARE, and a renewal does not.
    __table_args__ = (UniqueConstraint("name", "token", name="uq_leases_name_token"),)
