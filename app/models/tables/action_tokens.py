"""Action tokens: permissions to claim one action once."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, LargeBinary, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class ActionToken(Base):
    """A token, identified by the SHA-256 of its `jti`; the token itself is never stored.

    It is used by `UPDATE … WHERE used_at IS NULL`, so that only one of several concurrent submissions succeeds. The row
    of a used token is the record that it was consumed, kept for `REQUEST_KEY_RETENTION_DAYS` (and at least until a day
    after it expired), with the transaction, so that a repeat gets the first receipt. Its user is not a foreign key: the
    user's row is locked when a token is issued, and users are never removed.
    """

    __tablename__ = "action_tokens"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[UUID] = mapped_column()
    action_id: Mapped[str] = mapped_column(String(50))
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True), comment="The time of the transaction that consumed it."
    )
    attributes: Mapped[dict[str, Any] | None] = mapped_column(JSONB, comment="The client's own metadata.")
    transaction_id: Mapped[UUID | None] = mapped_column(comment="The transaction that consumed it.")
    points: Mapped[int | None] = mapped_column(BigInteger, comment="NULL: the value is stated at the submission.")

    __table_args__ = (
        Index("ix_action_tokens_open", "user_id", "expires_at", postgresql_where=text("used_at IS NULL")),
        Index("ix_action_tokens_unused", "expires_at", postgresql_where=text("used_at IS NULL")),
        Index("ix_action_tokens_used", "used_at", postgresql_where=text("used_at IS NOT NULL")),
    )
