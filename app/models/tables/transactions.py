"""The ledger: all changes of scores, append-only, chained by hashes per user."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class ScoreTransaction(Base):
    """One transaction of a user's ledger.

    `delta` is the change of the user's all-time score in the category, and `score` that score afterwards: the sum of a
    user's deltas is always the score. `hash` covers the content and `previous_hash`, so that an altered, removed or
    inserted row breaks the user's chain. It covers commitments to the address, the user agent and the reason, so that
    these can be erased: see `TransactionOrigin` and `reason`.

    The table is partitioned by the month of `created_at`. A constraint of a partitioned table must contain that
    column, so what must be unique for ever is ensured elsewhere: positions in a chain by the head in the user's row,
    tokens by `action_tokens`, request keys by `request_keys`.

    User and category are not foreign keys: the statement that inserts a transaction updates the head in the user's
    row, and categories are never removed. Looking both up costs nearly as much as inserting the row; `verify` does it.
    """

    __tablename__ = "score_transactions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column()
    seq: Mapped[int] = mapped_column(BigInteger, comment="Position in the user's chain, from 1.")
    category_id: Mapped[str | None] = mapped_column(String(50), comment="NULL: about the user as a whole.")
    action_id: Mapped[str | None] = mapped_column(String(50))
    kind: Mapped[str] = mapped_column(String(20))
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    request_key: Mapped[str | None] = mapped_column(
        String(150), comment="The client's action id or the server's idempotency key, with its namespace."
    )
    request_hash: Mapped[bytes | None] = mapped_column(LargeBinary, comment="Content behind request_key.")
    actor_id: Mapped[UUID | None] = mapped_column()
    actor_role: Mapped[str] = mapped_column(String(20))
    address_commitment: Mapped[str | None] = mapped_column(String(43))
    user_agent_commitment: Mapped[str | None] = mapped_column(String(43))
    reason_commitment: Mapped[str | None] = mapped_column(String(43))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str | None] = mapped_column(String(500), comment="NULL: there is none, or the user was deleted.")
    reason_salt: Mapped[bytes | None] = mapped_column(LargeBinary)
    points: Mapped[int] = mapped_column(BigInteger, comment="What was asked for, before the cap.")
    delta: Mapped[int] = mapped_column(BigInteger)
    score: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        CheckConstraint("seq >= 1", name="seq_positive"),
        CheckConstraint("score >= 0", name="score_not_negative"),
        CheckConstraint("category_id IS NOT NULL OR delta = 0", name="delta_has_category"),
        Index("uq_score_transactions_user_id_seq", "user_id", "seq", "created_at", unique=True),
        Index("ix_score_transactions_user_action", "user_id", "action_id", "created_at"),
        Index("ix_score_transactions_created_at", "created_at", postgresql_using="brin"),
        Index(
            "ix_score_transactions_category_id_created_at",
            "category_id",
            "created_at",
            "user_id",
            postgresql_where=text("delta <> 0"),
        ),
        Index(
            "ix_score_transactions_user_id_category_id",
            "user_id",
            "category_id",
            "created_at",
            "seq",
            postgresql_include=["score"],
            postgresql_where=text("delta <> 0"),
        ),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )


class TransactionOrigin(Base):
    """The address and user agent behind a transaction, and the salt of the commitments to them.

    Rows are deleted after `ADDRESS_RETENTION_DAYS`, and with the user. `played` marks what a player has caused, which
    fraud detection counts by address.
    """

    __tablename__ = "transaction_origins"

    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    transaction_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column()
    played: Mapped[bool] = mapped_column(Boolean)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(200))

    __table_args__ = (
        Index("ix_transaction_origins_address", "address", "created_at", postgresql_where=text("played")),
    )


class RequestKey(Base):
    """The key of a request that was posted, so that a repeat is recognised.

    Keys that clients choose are deleted after `REQUEST_KEY_RETENTION_DAYS`. Those that the service makes (one per
    review, reversal and opening balance) are permanent.
    """

    __tablename__ = "request_keys"

    request_key: Mapped[str] = mapped_column(String(150), primary_key=True)
    transaction_id: Mapped[UUID] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), comment="The time of the transaction.")
    permanent: Mapped[bool] = mapped_column(Boolean)

    __table_args__ = (Index("ix_request_keys_created_at", "created_at", postgresql_where=text("NOT permanent")),)
