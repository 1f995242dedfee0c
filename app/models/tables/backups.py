"""When the database was last backed up, for metrics."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class BackupRow(Base):
    """The last success and the last failure of one kind of backup, by the clock of PostgreSQL."""

    __tablename__ = "backups"

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    succeeded_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    failed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    bytes: Mapped[int | None] = mapped_column(BigInteger, comment="The size of the last successful one.")
