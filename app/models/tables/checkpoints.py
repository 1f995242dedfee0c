"""Checkpoints: what all-time boards were like, so that the past is read without reading the whole ledger."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, DateTime, ForeignKey, Identity, Index, Integer, String, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.tables.base import Base


class Checkpoint(Base):
    """The all-time board of a category after a certain number of transactions, as a list of chunks in board order.

    It contains all users, also hidden ones, so it depends on nothing but the ledger. A chunk is shared by all
    checkpoints from the one that stored it until it is stored anew: its users at one of them are the users of the
    chunk, changed by the moves up to that checkpoint.
    """

    __tablename__ = "checkpoints"

    category_id: Mapped[str] = mapped_column(ForeignKey("categories.id"), primary_key=True)
    as_of: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    through_user: Mapped[UUID] = mapped_column(
        primary_key=True, comment="Transactions at the instant `as_of` are included up to those of this user."
    )
    number: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    transactions: Mapped[int] = mapped_column(BigInteger, comment="Since the checkpoint before.")
    chunks: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), comment="In board order.")
    users: Mapped[list[int]] = mapped_column(ARRAY(Integer), comment="Users in each chunk.")
    moves: Mapped[list[int]] = mapped_column(ARRAY(Integer), comment="Moves of each chunk so far.")
    first_keys: Mapped[list[int]] = mapped_column(
        ARRAY(BigInteger), comment="With first_times and first_users: the first position of each chunk."
    )
    first_times: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    first_users: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    changed_users: Mapped[list[UUID]] = mapped_column(
        ARRAY(Uuid), comment="Users with transactions since the checkpoint before."
    )
    previous_scores: Mapped[list[int | None]] = mapped_column(
        ARRAY(BigInteger), comment="Their scores at the checkpoint before; NULL: the user was not on the board."
    )
    previous_times: Mapped[list[datetime | None]] = mapped_column(ARRAY(DateTime(timezone=True)))


class CheckpointChunk(Base):
    """Consecutive users of a board at the checkpoint `number`. Its first position does not change afterwards."""

    __tablename__ = "checkpoint_chunks"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    category_id: Mapped[str] = mapped_column(String(50))
    number: Mapped[int] = mapped_column(BigInteger, comment="The checkpoint that stored the chunk.")
    user_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    scores: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    times: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))

    __table_args__ = (Index("ix_checkpoint_chunks_category_id_number", "category_id", "number"),)


class CheckpointMove(Base):
    """A user who entered or left a chunk between two checkpoints, with the score there. `number` is the second one."""

    __tablename__ = "checkpoint_moves"

    chunk_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("checkpoint_chunks.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    arrived: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    score: Mapped[int] = mapped_column(BigInteger)
    reached_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class HiddenUserScores(Base):
    """All scores of a hidden user in a category, up to its last checkpoint, in the order of their times.

    Reads of the past subtract hidden users, and would otherwise have to look each of them up in the ledger.
    """

    __tablename__ = "hidden_user_scores"

    category_id: Mapped[str] = mapped_column(String(50), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    times: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    scores: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
