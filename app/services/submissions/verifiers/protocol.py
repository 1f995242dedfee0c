"""The protocol of verifiers: their input, and the objects that they may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import httpx2


@dataclass(frozen=True, slots=True)
class CompletionReport:
    """A completion as it was submitted. Nothing has been paid for it yet.

    Attributes:
        points: The points of the action; None if the verifier must state its value.
        evidence: JSON of the client, which can be forged.
        suspect: Whether the player is suspicious.
    """

    user_id: UUID
    action_id: str
    category_id: str
    points: int | None
    started_at: datetime | None
    evidence: Any
    suspect: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer of a verifier.

    Attributes:
        accepted: Whether the completion happened.
        value: What it is worth: required if the action is STATED, otherwise None.
        metadata: JSON for the entry of the player, up to 1 KiB; None for none. It is ignored unless the category keeps
            metadata.
    """

    accepted: bool
    value: int | None = None
    metadata: Any = None


class CompletionVerifier(Protocol):
    """Decides whether a completion really happened, and states the value of a STATED action.

    It is called outside of any database transaction, possibly more than once for one completion, and is cancelled
    shortly after the time limit of the settings.
    """

    async def verify(self, report: CompletionReport) -> Verification:
        """Return whether the completion happened. Raises ServiceUnavailable when that is not known.

        A submission whose completion did not happen is refused; its token can be submitted again.
        """


@dataclass(frozen=True, slots=True)
class VerifierContext:
    """The objects for verifiers. The client is closed with the application; `timeout` is in seconds."""

    http: httpx2.AsyncClient
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    timeout: float
    webhook_url: str | None = None
    webhook_secret: str | None = None
