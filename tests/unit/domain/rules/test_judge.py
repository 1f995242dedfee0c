"""Judging: a posting, a refusal, or the demand to verify the submission first."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from app.domain.errors import AlreadyCompleted
from app.domain.ledger.activity import Completion, History, Verdict
from app.domain.ledger.posting import Account, Activity, Kind, Posting, ScoreRequest
from app.domain.rules.fraud import Thresholds
from app.domain.rules.judge import NeedsVerification, PlayerPolicy, Policy, judge, server_policy
from tests.unit.domain.score_requests import LEVEL, NOW, account, request

ID = UUID(int=7)
FLAG_EVERYTHING = Thresholds(history=2, velocity_flag=1, velocity_hold=0)
HOLD_EVERYTHING = Thresholds(history=2, velocity_flag=1, velocity_hold=1)


def busy(*, is_suspect: bool = False) -> Account:
    """An account with a completion of a second ago."""
    recent = (Completion(NOW - timedelta(seconds=1), LEVEL.id),)
    return account(history=History(recent=recent, is_suspect=is_suspect))


def judged(policy: Policy, of: Account | None = None) -> object:
    return judge(request(), policy, of or account(), NOW, ID)


def test_an_accepted_request_becomes_a_posting():
    posting = judged(PlayerPolicy(Thresholds(), is_verified=True))
    assert isinstance(posting, Posting)
    assert (posting.transaction.id, posting.transaction.kind, posting.suspicion) == (ID, Kind.ACTION, None)


@pytest.mark.parametrize("policy", [PlayerPolicy(None, is_verified=True), server_policy])
def test_the_refusal_of_a_rule_is_a_value(policy: Policy):
    once = request(action=replace(LEVEL, repeatable=False))
    done = account(activity=Activity(NOW - timedelta(days=1), 0, True))
    assert isinstance(judge(once, policy, done, NOW, ID), AlreadyCompleted)


def test_any_failure_of_a_policy_is_a_value_so_that_no_other_request_is_affected():
    failure = RuntimeError("a defect")

    def failing(request: ScoreRequest, account: Account, now: datetime) -> ScoreRequest:
        raise failure

    assert judged(failing) is failure


def test_a_spot_check_is_verified_once():
    assert judged(PlayerPolicy(None, is_verified=False, must_verify=True)) == NeedsVerification(is_suspect=False)
    assert isinstance(judged(PlayerPolicy(None, is_verified=True, must_verify=True)), Posting)
    assert isinstance(judged(PlayerPolicy(None, is_verified=False)), Posting)


@pytest.mark.parametrize("thresholds", [FLAG_EVERYTHING, HOLD_EVERYTHING])
def test_a_suspicious_submission_is_verified_first(thresholds: Thresholds):
    assert judged(PlayerPolicy(thresholds, is_verified=False), busy()) == NeedsVerification(is_suspect=True)


def test_a_flagged_player_is_always_verified():
    flagged = account(history=History(is_suspect=True))
    assert judged(PlayerPolicy(None, is_verified=False), flagged) == NeedsVerification(is_suspect=True)


def test_a_verified_submission_is_flagged_and_paid():
    posting = judged(PlayerPolicy(FLAG_EVERYTHING, is_verified=True), busy())
    assert isinstance(posting, Posting)
    assert posting.suspicion is not None
    assert (posting.suspicion.verdict, posting.transaction.kind) == (Verdict.FLAG, Kind.ACTION)
    assert posting.receipt().suspicion == posting.suspicion


def test_a_flagged_player_gets_no_second_flag():
    posting = judged(PlayerPolicy(FLAG_EVERYTHING, is_verified=True), busy(is_suspect=True))
    assert isinstance(posting, Posting)
    assert posting.suspicion is None


def test_a_held_submission_changes_no_score_even_of_a_flagged_player():
    posting = judged(PlayerPolicy(HOLD_EVERYTHING, is_verified=True), busy(is_suspect=True))
    assert isinstance(posting, Posting)
    assert (posting.transaction.kind, posting.score_changes) == (Kind.HELD, ())
    assert posting.receipt().held


def test_judging_again_gives_the_same_posting():
    policy, user = PlayerPolicy(FLAG_EVERYTHING, is_verified=True), busy()
    assert judged(policy, user) == judged(policy, user)
    assert judge(request(), policy, user, NOW, uuid4()) != judged(policy, user)
