"""Flags: suspicious completions, as moderators and their players see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.ledger.activity import Verdict


class FlagStatus(StrEnum):
    """The state of a flag."""

    OPEN = "OPEN"
    RELEASED = "RELEASED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class Flag:
    """A suspicious completion, by the id of its transaction. `decided_*` and `reason` are None while it is open."""

    id: UUID
    user_id: UUID
    category: str
    action_id: str | None
    verdict: Verdict
    rules: tuple[str, ...]
    points: int
    status: FlagStatus
    created_at: datetime
    decided_at: datetime | None = None
    decided_by: UUID | None = None
    reason: str | None = None
