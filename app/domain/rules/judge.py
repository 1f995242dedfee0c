"""Judging: whether and how a score request is posted. Pure functions of the request, the account and the time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.domain.ledger.activity import Verdict
from app.domain.ledger.posting import Account, Posting, ScoreRequest, post
from app.domain.rules import eligibility, fraud


@dataclass(frozen=True, slots=True)
class NeedsVerification:
    """The decision that a verifier must confirm a submission before it is posted.

    Attributes:
        is_suspect: Whether fraud detection, now or earlier, is a reason.
    """

    is_suspect: bool


FinalPolicy = Callable[[ScoreRequest, Account, datetime], ScoreRequest]
"""Returns the request to post: the given one, or a changed one. Raises the domain error that refuses it."""

Policy = Callable[[ScoreRequest, Account, datetime], ScoreRequest | NeedsVerification]
"""A policy that can also ask for a verification first.

Policies are pure: the ledger calls them again after a conflict, with the new state of the account.
"""

Judgement = Posting | NeedsVerification | Exception
"""What becomes of a request: posted, returned to be verified, or refused."""


def judge(
    request: ScoreRequest, policy: Policy, account: Account, now: datetime, transaction_id: UUID, salt: bytes = b""
) -> Judgement:
    """Return what `policy` makes of `request`. Raises nothing, so that no request can fail the others of its batch."""
    try:
        decision = policy(request, account, now)
        if isinstance(decision, NeedsVerification):
            return decision
        return post(decision, account, now, transaction_id, salt)
    except Exception as refusal:
        return refusal


@dataclass(frozen=True, slots=True)
class PlayerPolicy:
    """The policy for what players submit themselves: the action's rules, then fraud detection, then verification.

    Attributes:
        thresholds: Those of fraud detection; None switches it off.
        is_verified: Whether the submission has been verified, or its action needs no verification.
        must_verify: Whether the submission must be verified in any case: because the verifier states its value, or
            because it was selected at random.
    """

    thresholds: fraud.Thresholds | None
    is_verified: bool
    must_verify: bool = False

    def __call__(self, request: ScoreRequest, account: Account, now: datetime) -> ScoreRequest | NeedsVerification:
        """Return `request`, marked or held when it is suspicious. Raises the refusals of the rules."""
        eligibility.check(request, account, now)
        suspicion = fraud.judge(request, account, now, self.thresholds) if self.thresholds else None
        is_flagged = account.history.is_suspect
        if not self.is_verified and (self.must_verify or suspicion or is_flagged):
            return NeedsVerification(is_suspect=is_flagged or suspicion is not None)
        if suspicion is None or (is_flagged and suspicion.verdict is Verdict.FLAG):
            return request  # A moderator reviews a flagged player already: another flag would add nothing.
        return request.held(suspicion) if suspicion.verdict is Verdict.HOLD else replace(request, suspicion=suspicion)


def server_policy(request: ScoreRequest, account: Account, now: datetime) -> ScoreRequest:
    """Return `request` if the rules of its action allow it: a game's server is trusted otherwise."""
    eligibility.check(request, account, now)
    return request
