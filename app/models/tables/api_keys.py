"""API keys: the hashes of the keys by which back ends identify themselves."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class ApiKeyRow(Base):
    """An API key. The row stays when the key has ended, since the ledger names it as an actor."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), comment="Not unique: a key and its successor have the same name.")
    role: Mapped[str] = mapped_column(String(20))
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True, comment="SHA-256; the key itself is not stored.")
    hint: Mapped[str] = mapped_column(String(20), comment="The first characters of the key.")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
