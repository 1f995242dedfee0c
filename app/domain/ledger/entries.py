"""Entries of the ledger, as players and moderators see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.ledger.transactions import Kind


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A transaction without the fields that only an audit needs: its origin and its hashes."""

    id: UUID
    seq: int
    category_id: str | None
    action_id: str | None
    kind: Kind
    points: int
    delta: int
    score: int
    actor_role: str
    reason: str | None
    created_at: datetime
