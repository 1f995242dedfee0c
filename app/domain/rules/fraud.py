"""Fraud: small judges over a completion and the player's recent past. The severest verdict wins.

They look for what people do not do: the beat of a machine, more than hands can do, two runs at the same time. None of
them proves anything, so most only flag; what is held waits for a moderator and is not lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address
from itertools import pairwise
from math import dist, sqrt
from statistics import fmean, median

from app.domain.ledger.activity import History, Suspicion, Verdict
from app.domain.ledger.posting import Account, ScoreRequest


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How much is too much. Times are in seconds. A count of 0 switches its rule off."""

    history: int = 16
    """How many completions are looked at, the new one among them."""

    velocity_flag: int = 30
    """Completions per minute, kept up over the whole history."""
    velocity_hold: int = 0
    """The same, held. Off: the rate limit refuses long before, and where there is none, somebody is measuring."""

    even_length: int = 8
    """How many completions in a row make a rhythm."""
    even_flag: float = 0.05
    """The spread of the intervals, as a share of their mean, below which they are even."""
    even_hold: float = 0.01
    """The spread that no hand keeps up; it takes a full history to be held."""
    even_shortest: float = 3.0
    """Intervals below this are a question of speed; nobody plays that fast for long, but whoever measures does."""
    even_longest: float = 600.0
    """Intervals above this are habit: coming back at the same hour is no crime."""

    overlap_flag: int = 1
    """Completions of the same action within its minimum duration before this one: runs at the same time."""
    overlap_hold: int = 3
    """The same, held."""

    spike_length: int = 5
    """How many of the newest completions are compared with those before them."""
    spike_factor: float = 50.0
    """How many times as fast they came."""
    spike_interval: float = 3.0
    """Slower than that is no spike, whatever was before."""

    accounts_per_address_flag: int = 25
    """Accounts that played from one public address within an hour."""


Rule = Callable[[ScoreRequest, History, datetime, Thresholds], Verdict]


def velocity(request: ScoreRequest, history: History, now: datetime, limits: Thresholds) -> Verdict:
    """More completions a minute than anybody makes, kept up over the whole history."""
    if len(history.recent) < limits.history - 1:
        return Verdict.ACCEPT
    span = max((now - history.recent[limits.history - 2].at).total_seconds(), 0.001)
    rate = (limits.history - 1) / span * 60
    return _grade(rate, limits.velocity_flag, limits.velocity_hold)


def even_spacing(request: ScoreRequest, history: History, now: datetime, limits: Thresholds) -> Verdict:
    """Intervals as even as a machine's."""
    if limits.even_length < 3 or len(history.recent) < limits.even_length - 1:
        return Verdict.ACCEPT
    intervals = _intervals(history, now)
    if len(intervals) >= limits.history - 1 and _is_even(intervals, limits.even_hold, limits):
        return Verdict.HOLD
    rhythm = intervals[: limits.even_length - 1]
    return Verdict.FLAG if _is_even(rhythm, limits.even_flag, limits) else Verdict.ACCEPT


def too_fast(request: ScoreRequest, history: History, now: datetime, limits: Thresholds) -> Verdict:
    """Completions of one action that lie closer together than the action takes: they cannot have run one by one."""
    if request.action is None or not request.action.min_duration:
        return Verdict.ACCEPT
    begun = now - request.action.min_duration
    overlaps = sum(done.action_id == request.action.id and done.at > begun for done in history.recent)
    return _grade(overlaps, limits.overlap_flag, limits.overlap_hold)


def sudden_spike(request: ScoreRequest, history: History, now: datetime, limits: Thresholds) -> Verdict:
    """A player who all at once is many times as fast as before."""
    newest = limits.spike_length - 1
    if newest < 1 or len(history.recent) < newest + limits.spike_length:
        return Verdict.ACCEPT
    now_every = (now - history.recent[newest - 1].at).total_seconds() / newest
    if now_every >= limits.spike_interval:
        return Verdict.ACCEPT
    before_every = median(_intervals(history, now)[newest:])
    return Verdict.FLAG if before_every > limits.spike_factor * max(now_every, 0.001) else Verdict.ACCEPT


def crowded_address(request: ScoreRequest, history: History, now: datetime, limits: Thresholds) -> Verdict:
    """Many accounts behind one address. Never more than a flag: a school or an office looks the same."""
    return _grade(history.accounts_per_address, limits.accounts_per_address_flag, 0)


RULES: tuple[Rule, ...] = (velocity, even_spacing, too_fast, sudden_spike, crowded_address)


def judge(request: ScoreRequest, account: Account, now: datetime, limits: Thresholds) -> Suspicion | None:
    """What is wrong with a completion: the severest verdict, and every rule that is not content. None: nothing."""
    history = account.history
    verdicts = {rule.__name__: rule(request, history, now, limits) for rule in RULES}
    worst = max(verdicts.values())
    if worst is Verdict.ACCEPT:
        return None
    return Suspicion(worst, tuple(name for name, verdict in verdicts.items() if verdict))


@lru_cache(maxsize=4096)
def is_public(address: str | None) -> bool:
    """Whether an address (or an IPv6 /64) is of the public internet: behind any other, accounts say nothing."""
    try:
        return address is not None and ip_address(address.partition("/")[0]).is_global
    except ValueError:
        return False


def _intervals(history: History, now: datetime) -> list[float]:
    """Seconds between completions, the newest first."""
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
