"""What all instances must know about the copies in Redis while Redis itself cannot tell them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, String, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class MissedWrite(Base):
    """An instance could not write what was committed to a category's copies in Redis, and has not repaired it yet.

    While there is a row, no instance reads the category from Redis. The instance renews its rows for as long as it
    runs; another one repairs what a crashed instance has left.
    """

    __tablename__ = "missed_writes"

    instance_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    category_id: Mapped[str] = mapped_column(String(50), primary_key=True)
    missed_since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    renewed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))


class CacheGeneration(Base):
    """The generation of a cache in Redis: its entries of earlier generations are not read any more."""

    __tablename__ = "cache_generations"

    name: Mapped[str] = mapped_column(String(30), primary_key=True)
    generation: Mapped[UUID] = mapped_column(Uuid)
