"""History: a user's recent completions, and what looks wrong about them."""

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
    """What fraud is judged by: the newest completions, the newest first.

    `accounts_per_address` counts the accounts that played from the claim's address within the last hour, as far as it
    was counted; `is_suspect` says that a flag on the user awaits a moderator.
    """

    recent: tuple[Completion, ...] = ()
    accounts_per_address: int = 0
    is_suspect: bool = False


class Verdict(IntEnum):
    """What a rule thinks of a completion; the severest counts."""

    ACCEPT = 0
    """Nothing is wrong with it."""
    FLAG = 1
    """It is paid, a moderator is told, and from now on the user's completions are verified."""
    HOLD = 2
    """It is recorded, and paid only when a moderator releases it."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A verdict other than ACCEPT, and the names of the rules that led to it."""

    verdict: Verdict
    rules: tuple[str, ...]
