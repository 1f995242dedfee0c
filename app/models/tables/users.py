"""Users: their profiles, the heads of their ledgers, and changed profiles."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, LargeBinary, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class User(Base):
    """A player. The row is never removed; deleting a user removes all personal data from it.

    `ledger_seq` and `ledger_hash` are the head of the user's chain of transactions. Every change of a score moves the
    head by one if it still has its old value: an optimistic lock that serialises the changes of one user.
    """

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(60), unique=True)
    claimed_username: Mapped[str] = mapped_column(
        String(50), comment="What the access token said last; `username` differs when that name was taken."
    )
    avatar_url: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))
    hidden_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ledger_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    ledger_hash: Mapped[bytes] = mapped_column(LargeBinary, server_default=text("'\\x'::bytea"))
    username_skeleton: Mapped[str | None] = mapped_column(
        String(200),
        unique=True,
        comment="Equal for names that look alike. Null for synthetic and deleted users.",
    )

    __table_args__ = (
        CheckConstraint("ledger_seq >= 0", name="ledger_seq_not_negative"),
        Index(
            "ix_users_name_for_search",
            func.name_for_search(text("username")).label("name_for_search"),
            "id",
            postgresql_where=text("hidden_at IS NULL AND deleted_at IS NULL"),
            postgresql_ops={"name_for_search": "text_pattern_ops"},
        ),
        Index("ix_users_hidden", "id", postgresql_where=text("hidden_at IS NOT NULL")),
    )


class ProfileChange(Base):
    """A profile that has changed. The row is deleted once the change has been announced to all instances twice."""

    __tablename__ = "profile_changes"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("clock_timestamp()"))
