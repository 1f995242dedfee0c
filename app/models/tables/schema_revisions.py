"""Schema revisions: which older versions of the service can use the database after a migration."""

from __future__ import annotations

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class SchemaRevision(Base):
    """A migration that was applied. A version whose migrations include `compatible_with` can use its result."""

    __tablename__ = "schema_revisions"

    revision: Mapped[str] = mapped_column(Text, primary_key=True)
    compatible_with: Mapped[str] = mapped_column(Text)
