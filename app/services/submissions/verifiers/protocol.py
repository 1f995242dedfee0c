"""What a verifier is, what it is told, and what it may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import httpx2


@dataclass(frozen=True, slots=True)
class CompletionReport:
    """A completion as it was reported. Nothing has been paid for it yet.

    `evidence` is the client's own JSON, as little to be trusted as the client. `suspect`: something about the player
    looks wrong, as opposed to a check at random.
    """

    user_id: UUID
    action_id: str
    category_id: str
    points: int
    started_at: datetime | None
    evidence: Any
    suspect: bool


class CompletionVerifier(Protocol):
    """Says whether a completion really happened.

    It is called outside of any database transaction, possibly more than once for one completion, and is given up
    a moment after the time limit of the settings.
    """

    async def verify(self, report: CompletionReport) -> bool:
        """False refuses the completion; the player may submit again. Raises ServiceUnavailable when it cannot tell."""


@dataclass(frozen=True, slots=True)
class VerifierContext:
    """What a verifier may be made of. The client is closed with the application; `timeout` is in seconds."""

    http: httpx2.AsyncClient
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    timeout: float
    webhook_url: str | None = None
    webhook_secret: str | None = None


Factory = Callable[[VerifierContext], CompletionVerifier]
"""What an import path in the settings names."""
