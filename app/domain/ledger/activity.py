"""Activity: a user's recent completions, and the suspicion that they may raise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class Completion:
    """One action that a player has completed, held ones included."""

    at: datetime
    action_id: str | None


@dataclass(frozen=True, slots=True)
class History:
    """The input of fraud detection.

    Attributes:
        recent: The last completions, the newest first.
        accounts_per_address: How many accounts played from the address of the request within the last hour.
        is_suspect: Whether a flag on the user awaits a moderator.
    """

    recent: tuple[Completion, ...] = ()
    accounts_per_address: int = 0
    is_suspect: bool = False


class Verdict(IntEnum):
    """The verdict of a fraud rule on a completion; the severest counts."""

    ACCEPT = 0
    """It is not suspicious."""
    FLAG = 1
    """It is paid and shown to moderators, and from now on the user's completions are verified."""
    HOLD = 2
    """It is recorded, and paid only when a moderator releases it."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A verdict other than ACCEPT, and the names of the rules that led to it."""

    verdict: Verdict
    rules: tuple[str, ...]
