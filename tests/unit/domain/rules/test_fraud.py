"""The rules against fraud, each at its edges, and what they must leave alone."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from app.domain.ledger.activity import History, Suspicion, Verdict
from app.domain.rules import fraud
from app.domain.rules.fraud import (
    Thresholds,
    crowded_address,
    even_spacing,
    is_public,
    sudden_spike,
    too_fast,
    velocity,
)
from tests.unit.domain.score_requests import NOW, account, action, history, request

LIMITS = Thresholds()
ACCEPT, FLAG, HOLD = Verdict.ACCEPT, Verdict.FLAG, Verdict.HOLD


def every(seconds: float, count: int = 15) -> History:
    """So many completions before the one that is judged, one every so many seconds."""
    return history(*(seconds * (number + 1) for number in range(count)))


@pytest.mark.parametrize(
    ("past", "limits", "verdict"),
    [
        (every(2.0), LIMITS, FLAG),
        (every(2.001), LIMITS, ACCEPT),
        (every(0.1, 14), LIMITS, ACCEPT),
        (every(0.0), LIMITS, FLAG),
        (every(0.5), Thresholds(velocity_hold=120), HOLD),
        (every(0.501), Thresholds(velocity_hold=120), FLAG),
        (every(0.1), Thresholds(velocity_flag=0), ACCEPT),
    ],
    ids=["at", "below", "too short a history", "all at once", "hold", "below hold", "off"],
)
def test_more_than_anybody_does_in_a_minute(past: History, limits: Thresholds, verdict: Verdict):
    assert velocity(request(), past, NOW, limits) is verdict


@pytest.mark.parametrize(
    ("past", "verdict"),
    [
        (every(6, 15), HOLD),
        (every(6, 14), FLAG),
        (every(6, 7), FLAG),
        (every(6, 6), ACCEPT),
        (every(2.9, 15), ACCEPT),
        (every(600, 7), FLAG),
        (every(601, 15), ACCEPT),
        (history(6, 12.3, 18, 24.3, 30.2, 36.5, 42.3), FLAG),
        (history(6, 14, 18, 28, 30, 39, 45), ACCEPT),
    ],
    ids=["a machine", "a beat", "just long enough", "too short", "fast", "slow", "habit", "nearly even", "uneven"],
)
def test_intervals_as_even_as_a_machines(past: History, verdict: Verdict):
    assert even_spacing(request(), past, NOW, LIMITS) is verdict


@pytest.mark.parametrize(
    ("past", "verdict"),
    [
        (history(61, 62, 63), ACCEPT),
        (history(60), ACCEPT),
        (history(59.9), FLAG),
        (history(1, 2), FLAG),
        (history(1, 2, 3), HOLD),
        (history(1, 2, 3, action_id="ANOTHER"), ACCEPT),
    ],
    ids=["one by one", "at the edge", "one overlap", "two", "three", "of another action"],
)
def test_runs_at_the_same_time(past: History, verdict: Verdict):
    kind = action(min_duration=timedelta(seconds=60))
    assert too_fast(request(action=kind), past, NOW, LIMITS) is verdict


def test_an_action_without_a_duration_cannot_overlap():
    assert too_fast(request(), history(0.001, 0.002, 0.003), NOW, LIMITS) is ACCEPT


@pytest.mark.parametrize(
    ("past", "verdict"),
    [
        (history(1, 2, 3, 4, 304, 604, 904, 1204, 1504), FLAG),
        (history(1, 2, 3, 4, 34, 64, 94, 124, 154), ACCEPT),
        (history(4, 8, 12, 16, 1016, 2016, 3016, 4016, 5016), ACCEPT),
        (history(1, 2, 3, 4, 304, 604), ACCEPT),
    ],
    ids=["a spike", "a little faster", "not fast", "too short"],
)
def test_somebody_who_is_many_times_as_fast_all_at_once(past: History, verdict: Verdict):
    assert sudden_spike(request(), past, NOW, LIMITS) is verdict


@pytest.mark.parametrize(("accounts", "verdict"), [(0, ACCEPT), (24, ACCEPT), (25, FLAG), (200, FLAG)])
def test_many_accounts_on_one_address_are_never_held(accounts: int, verdict: Verdict):
    assert crowded_address(request(), History(accounts_per_address=accounts), NOW, LIMITS) is verdict


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.0.7", "fd00::/64", "::1", "unix", "", None, "?"])
def test_a_private_address_says_nothing(address: str | None):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2a00:1450:4001::/64"])
def test_a_public_address_does(address: str):
    assert is_public(address)


def test_the_severest_verdict_wins_and_all_that_speak_are_named():
    kind = action(min_duration=timedelta(seconds=60))
    past = History(history(1, 2, 3).recent, accounts_per_address=30)
    suspicion = fraud.judge(request(action=kind), account(history=past), NOW, LIMITS)
    assert suspicion == Suspicion(HOLD, ("too_fast", "crowded_address"))


def test_a_newcomer_is_believed():
    assert fraud.judge(request(), account(), NOW, LIMITS) is None


def test_a_clock_that_went_back_is_nobodys_fault():
    past = history(-2, -1, 0, 5, 11, 40, 95)
    assert fraud.judge(request(), account(history=past), NOW, LIMITS) is None


@pytest.mark.parametrize("mean", [1.0, 3.0, 6.0, 20.0, 60.0])
def test_players_at_a_human_pace_are_hardly_ever_flagged_and_never_held(mean: float):
    """Pauses between actions scatter; simulated players draw theirs at random."""
    random = Random(7)
    verdicts = []
    for _ in range(300):
        past, gone = [], 0.0
        for _ in range(15):
            gone += random.uniform(0.3, 1.7) * mean
            past.append(gone)
        suspicion = fraud.judge(request(), account(history=history(*past)), NOW, Thresholds(velocity_flag=0))
        verdicts.append(suspicion.verdict if suspicion else ACCEPT)
    assert HOLD not in verdicts
    assert verdicts.count(FLAG) <= 3
