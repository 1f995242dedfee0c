"""Signing sessions: the keys by which clients of players may sign actions, and their expiry."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class SigningSession(Base):
    """A signing session. Its secret is derived from the key id and a secret of the server, and never stored."""

    __tablename__ = "signing_sessions"

    key_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        Index("ix_signing_sessions_user_id", "user_id", "created_at"),
        Index("ix_signing_sessions_expires_at", "expires_at"),
    )
