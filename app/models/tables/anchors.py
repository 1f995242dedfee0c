"""Anchors: periodic records of the heads of all chains, which form a chain themselves."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Integer, LargeBinary, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class LedgerAnchor(Base):
    """An anchor: a hash over the heads that changed since the anchor before, and over the hash of that anchor.

    Older anchors are thinned: heads that a later one of the same hour or day replaces are deleted.
    """

    __tablename__ = "ledger_anchors"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    heads: Mapped[int] = mapped_column(Integer)
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    thinned: Mapped[int] = mapped_column(
        SmallInteger,
        server_default=text("0"),
        comment="0: all heads are kept; 1: one per hour; 2: per day; 3: per month.",
    )
    kept_hash: Mapped[bytes | None] = mapped_column(LargeBinary, comment="Covers the heads that are kept.")

    __table_args__ = (Index("ix_ledger_anchors_thinned", "thinned", "number"),)


class AnchoredHead(Base):
    """The head of one user's chain in an anchor. The user is not a foreign key, so that a removal can be detected."""

    __tablename__ = "ledger_anchor_heads"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    anchor: Mapped[int] = mapped_column(ForeignKey("ledger_anchors.number"))

    __table_args__ = (Index("ix_ledger_anchor_heads_anchor", "anchor", "user_id"),)
