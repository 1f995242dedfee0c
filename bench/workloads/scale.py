"""The sizes of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """The sizes of a run: each contender is measured `rounds` times for `seconds`."""

    rounds: int
    seconds: float
    players: int
    submissions: int
    """The action tokens for one measurement of submissions, which ends when all are used."""
    watchers: int
    mixed_seconds: float
    many_users: int


FULL = Scale(
    rounds=3, seconds=3.0, players=5000, submissions=30_000, watchers=10_000, mixed_seconds=10.0, many_users=1_000_000
)
SMOKE = Scale(rounds=1, seconds=0.5, players=300, submissions=1500, watchers=50, mixed_seconds=1.5, many_users=5000)
