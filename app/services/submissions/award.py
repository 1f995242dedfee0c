"""Completions: what every action that a player reports goes through before it is paid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from app.domain.errors import UnderReview, VerificationFailed
from app.domain.ledger.activity import Suspicion, Verdict
from app.domain.ledger.idempotency import json_text
from app.domain.ledger.posting import Account, ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.rules import eligibility as rules
from app.domain.rules import fraud
from app.services.ledger.post import Ledger
from app.services.submissions.verifiers import CompletionReport, Verifiers

log = structlog.get_logger(__name__)

MAX_EVIDENCE_BYTES = 8192


class _Unverified(Exception):
    """The claim is to be verified before it may be posted. Verifying takes time, which a batch has not."""

    def __init__(self, *, suspect: bool) -> None:
        self.suspect = suspect


class _Judge:
    """The judge of one claim. `suspicion` is what it thought of the claim as it was posted."""

    def __init__(self, thresholds: fraud.Thresholds | None, *, verified: bool, spot_check: bool) -> None:
        self.verified = verified
        self.suspicion: Suspicion | None = None
        self._thresholds = thresholds
        self._spot_check = spot_check

    def __call__(self, request: ScoreRequest, account: Account, now: datetime) -> ScoreRequest:
        """The claim, marked or held if it looks wrong. Raises the rules' refusals, and _Unverified."""
        rules.check(request, account, now)
        suspicion = fraud.judge(request, account, now, self._thresholds) if self._thresholds else None
        known = account.history.is_suspect
        if not self.verified and (self._spot_check or suspicion or known):
            raise _Unverified(suspect=known or suspicion is not None)
        if known and suspicion and suspicion.verdict is Verdict.FLAG:
            suspicion = None  # A moderator has been told of this player.
        self.suspicion = suspicion
        if suspicion is None:
            return request
        return request.held(suspicion) if suspicion.verdict is Verdict.HOLD else replace(request, suspicion=suspicion)


class AwardService:
    """Judges a claim by the rules, by fraud and by the verifier, in this order, and posts what becomes of it."""

    def __init__(
        self,
        ledger: Ledger,
        verifiers: Verifiers,
        thresholds: fraud.Thresholds | None,
        random: Callable[[], float],
        *,
        spot_check_rate: float,
    ) -> None:
        """`thresholds`: None judges nobody. `random` gives numbers from 0 to 1, below the rate for a spot check."""
        self.outcomes: Counter[str] = Counter()
        """How many completions were `paid`, `flagged` (and paid), `held`, `verified` and `not_verified`."""
        self._ledger = ledger
        self._verifiers = verifiers
        self._thresholds = thresholds
        self._random = random
        self._spot_check_rate = spot_check_rate

    async def award(self, request: ScoreRequest, evidence: Any = None) -> Receipt:
        """Pay a claim on an action. `evidence` is what the client's game knows about it, for the verifier.

        Raises what the rules and `Ledger.post` raise; BadUserInput for evidence of more than 8 KiB as JSON;
        VerificationFailed; UnderReview when it is held; ServiceUnavailable when the verifier is away. Only what is
        held or paid consumes a token.
        """
        assert request.action is not None
        if evidence is not None:
            json_text(evidence, "data", MAX_EVIDENCE_BYTES)
        believed = self._verifiers.accepts_without_asking(request.action.id)
        spot_check = not believed and self._random() < self._spot_check_rate
        judge = _Judge(self._thresholds, verified=believed, spot_check=spot_check)
        try:
            receipt = await self._ledger.post(request, judge)
        except _Unverified as doubt:
            await self._verify(request, evidence, suspect=doubt.suspect)
            judge.verified = True
            receipt = await self._ledger.post(request, judge)
        self.outcomes["held" if receipt.held else "flagged" if judge.suspicion else "paid"] += 1
        if judge.suspicion:
            log.warning("completion_suspected", transaction=str(receipt.transaction_id), held=receipt.held,
                        user=str(request.user_id), rules=judge.suspicion.rules)  # fmt: skip
        if receipt.held:
            raise UnderReview
        return receipt

    async def _verify(self, request: ScoreRequest, evidence: Any, *, suspect: bool) -> None:
        assert request.action is not None
        category, action = request.category.id, request.action.id
        report = CompletionReport(
            request.user_id, action, category, request.points, request.started_at, evidence, suspect
        )
        is_verified = await self._verifiers.verify(report)
        self.outcomes["verified" if is_verified else "not_verified"] += 1
        if not is_verified:
            log.warning("completion_not_verified", user=str(request.user_id), action=action, suspect=suspect)
            raise VerificationFailed
