"""Anchors: what the ends of all chains were, written down now and then, each record bound to the one before it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class LedgerAnchor(Base):
    """One record: a hash over the heads that moved since the record before, and over that record's hash."""

    __tablename__ = "ledger_anchors"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    heads: Mapped[int] = mapped_column(Integer)
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class AnchoredHead(Base):
    """The end of one user's chain as an anchor saw it. It has no foreign key to the user, whose removal it proves."""

    __tablename__ = "ledger_anchor_heads"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    anchor: Mapped[int] = mapped_column(ForeignKey("ledger_anchors.number"))

    __table_args__ = (Index("ix_ledger_anchor_heads_anchor", "anchor", "user_id"),)
