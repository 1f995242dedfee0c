"""Fraud detection: rules over a completion and the player's recent completions. The severest verdict counts.

The rules detect behaviour that people do not show: evenly spaced completions, too many of them, overlapping ones. None
of them is a proof, so most only flag; a held completion waits for a moderator and is not lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from itertools import pairwise
from math import dist, sqrt
from statistics import fmean, median

from app.domain.ledger.activity import History, Suspicion, Verdict
from app.domain.ledger.posting import Account, ScoreRequest


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The thresholds of the rules. Times are in seconds. A count of 0 switches its rule off."""

    history: int = 16
    """How many completions the rules use, including the new one."""

    velocity_flag: int = 30
    """Completions per minute, kept up over the whole history."""
    velocity_hold: int = 0
    """The same, held. Off, because the rate limit refuses earlier; installations without one are being measured."""

    even_length: int = 8
    """How many consecutive completions must be evenly spaced."""
    even_flag: float = 0.05
    """The spread of the intervals, as a share of their mean, below which they are even."""
    even_hold: float = 0.01
    """The spread below which completions are held, if the history is full."""
    even_shortest: float = 3.0
    """Shorter intervals are not evaluated here but by the rules about speed."""
    even_longest: float = 600.0
    """Longer intervals are not evaluated: people may return at the same time every day."""

    overlap_flag: int = 1
    """Completions of the same action within its minimum duration before this one: runs at the same time."""
    overlap_hold: int = 3
    """The same, held."""

    spike_length: int = 5
    """How many of the newest completions are compared with those before them."""
    spike_factor: float = 50.0
    """How many times as fast they must have come."""
    spike_interval: float = 3.0
    """Longer intervals are no spike, whatever the intervals before were."""

    accounts_per_address_flag: int = 25
    """Accounts that played from one public address within an hour."""


class FraudRule(StrEnum):
    """The rules by their names, as flags record them."""

    VELOCITY = "velocity"
    EVEN_SPACING = "even_spacing"
    TOO_FAST = "too_fast"
    SUDDEN_SPIKE = "sudden_spike"
    CROWDED_ADDRESS = "crowded_address"


Rule = Callable[[ScoreRequest, History, datetime, Thresholds], Verdict]


def velocity(request: ScoreRequest, history: History, now: datetime, limits: Thresholds) -> Verdict:
    """Detect more completions a minute than people can make, over the whole history."""
    if len(history.recent) < limits.history - 1:
        return Verdict.ACCEPT
    span = max((now - history.recent[limits.history - 2].at).total_seconds(), 0.001)
    rate = (limits.history - 1) / span * 60
    return _grade(rate, limits.velocity_flag, limits.velocity_hold)


def even_spacing(request: ScoreRequest, history: History, now: datetime, limits: Thresholds) -> Verdict:
    """Detect completions that are as evenly spaced as those of a program."""
    if limits.even_length < 3 or len(history.recent) < limits.even_length - 1:
        return Verdict.ACCEPT
    intervals = _intervals(history, now)
    if len(intervals) >= limits.history - 1 and _is_even(intervals, limits.even_hold, limits):
        return Verdict.HOLD
    newest = intervals[: limits.even_length - 1]
    return Verdict.FLAG if _is_even(newest, limits.even_flag, limits) else Verdict.ACCEPT


def too_fast(request: ScoreRequest, history: History, now: datetime, limits: Thresholds) -> Verdict:
    """Detect completions of one action at shorter intervals than its duration: they must have overlapped."""
    if request.action is None or not request.action.min_duration:
        return Verdict.ACCEPT
    begun = now - request.action.min_duration
    overlaps = sum(done.action_id == request.action.id and done.at > begun for done in history.recent)
    return _grade(overlaps, limits.overlap_flag, limits.overlap_hold)


def sudden_spike(request: ScoreRequest, history: History, now: datetime, limits: Thresholds) -> Verdict:
    """Detect a player who is suddenly many times as fast as before."""
    newest = limits.spike_length - 1
    if newest < 1 or len(history.recent) < newest + limits.spike_length:
        return Verdict.ACCEPT
    now_every = (now - history.recent[newest - 1].at).total_seconds() / newest
    if now_every >= limits.spike_interval:
        return Verdict.ACCEPT
    before_every = median(_intervals(history, now)[newest:])
    return Verdict.FLAG if before_every > limits.spike_factor * max(now_every, 0.001) else Verdict.ACCEPT


def crowded_address(request: ScoreRequest, history: History, now: datetime, limits: Thresholds) -> Verdict:
    """Detect many accounts behind one address. Only flags, because a school or an office looks the same."""
    return _grade(history.accounts_per_address, limits.accounts_per_address_flag, 0)


RULES: tuple[Rule, ...] = (velocity, even_spacing, too_fast, sudden_spike, crowded_address)


def judge(request: ScoreRequest, account: Account, now: datetime, limits: Thresholds) -> Suspicion | None:
    """Return the severest verdict on a completion with the rules that object to it; None if no rule does."""
    history = account.history
    verdicts = {rule.__name__: rule(request, history, now, limits) for rule in RULES}
    worst = max(verdicts.values())
    if worst is Verdict.ACCEPT:
        return None
    return Suspicion(worst, tuple(name for name, verdict in verdicts.items() if verdict))


@lru_cache(maxsize=4096)
def is_public(address: str | None) -> bool:
    """Return whether an address (or an IPv6 /64) is public: other addresses do not identify a place."""
    try:
        return address is not None and ip_address(address.partition("/")[0]).is_global
    except ValueError:
        return False


def _intervals(history: History, now: datetime) -> list[float]:
    """Return the seconds between completions, the newest first."""
    times = [now, *(done.at for done in history.recent)]
    return [(later - earlier).total_seconds() for later, earlier in pairwise(times)]


def _is_even(intervals: list[float], spread: float, limits: Thresholds) -> bool:
    count, mean = len(intervals), fmean(intervals)
    if not limits.even_shortest <= mean <= limits.even_longest:
        return False
    return dist(intervals, [mean] * count) <= spread * mean * sqrt(count)  # The standard deviation, in one call.


def _grade(value: float, flag: int, hold: int) -> Verdict:
    if hold and value >= hold:
        return Verdict.HOLD
    return Verdict.FLAG if flag and value >= flag else Verdict.ACCEPT
