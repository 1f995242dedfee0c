"""Award: what every action that a player submits goes through before it is paid."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import structlog

from app.domain.catalogue.catalogue import Action
from app.domain.errors import BadUserInput, ServiceUnavailable, UnderReview, VerificationFailed
from app.domain.ledger.metadata import NO_METADATA, metadata_of
from app.domain.ledger.posting import ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.rules.fraud import Thresholds
from app.domain.rules.judge import NeedsVerification, PlayerPolicy
from app.domain.rules.stated_values import require_value
from app.domain.texts import json_text
from app.runtime import Runtime
from app.services.ledger.post import Ledger
from app.services.submissions.submission_log import SubmissionLog
from app.services.submissions.verifiers import CompletionReport, Verification, Verifiers

log = structlog.get_logger(__name__)

MAX_EVIDENCE_BYTES = 8192


class AwardService:
    """Awards the points of a submission: posts it, and has it verified first where the policy demands that."""

    def __init__(
        self,
        ledger: Ledger,
        verifiers: Verifiers,
        thresholds: Thresholds | None,
        runtime: Runtime,
        *,
        spot_check_rate: float,
        submission_log: SubmissionLog,
    ) -> None:
        """Configure the awards.

        Args:
            ledger: Where submissions are posted.
            verifiers: The verifiers of the actions.
            thresholds: Those of fraud detection; None switches it off.
            runtime: The source of randomness for spot checks.
            spot_check_rate: The share of submissions that is verified at random, from 0 to 1.
            submission_log: Where what is paid or held is logged.
        """
        self.verdicts: Counter[str] = Counter()
        """How many submissions fraud detection has let pass (`accept`, `flag`), and how many it has held (`hold`)."""
        self.objections: Counter[str] = Counter()
        """How many submissions each rule of fraud detection has objected to."""
        self.verifications: Counter[str] = Counter()
        """How many completions the verifiers have `confirmed` or `denied`."""
        self._ledger = ledger
        self._verifiers = verifiers
        self._thresholds = thresholds
        self._runtime = runtime
        self._spot_check_rate = spot_check_rate
        self._submission_log = submission_log

    async def award(self, request: ScoreRequest, evidence: Any = None) -> Receipt:
        """Post the request of a player for an action, and return its receipt.

        Only a submission that is paid or held consumes its token.

        Args:
            request: The request. The verifier states the points of a STATED action.
            evidence: What the game knows about the action, for the verifier.

        Raises:
            BadUserInput: The evidence is larger than 8 KiB as JSON.
            ServerOnlyAction: The action is STATED and has no verifier.
            VerificationFailed: The verifier does not confirm the action.
            UnderReview: The submission is held for a moderator.
            ServiceUnavailable: The verifier or PostgreSQL cannot be used.
            DomainError: What the rules of the action and `Ledger.post` raise.
        """
        started = self._submission_log.now()
        action = request.action
        assert action is not None
        if evidence is not None:
            json_text(evidence, "data", MAX_EVIDENCE_BYTES)
        self._verifiers.require_claimable(action)
        is_verified = self._verifiers.accepts_without_asking(action.id)
        must_verify = action.is_stated or (not is_verified and self._runtime.random.random() < self._spot_check_rate)
        receipt = await self._ledger.post(request, PlayerPolicy(self._thresholds, is_verified, must_verify))
        if isinstance(receipt, NeedsVerification):
            request = await self._verify(request, action, evidence, suspect=receipt.is_suspect)
            receipt = await self._ledger.post(request, PlayerPolicy(self._thresholds, is_verified=True))
            assert isinstance(receipt, Receipt)
        suspicion = receipt.suspicion
        self.verdicts["hold" if receipt.held else "flag" if suspicion else "accept"] += 1
        if suspicion:
            self.objections.update(suspicion.rules)
            log.warning("completion_suspected", transaction=str(receipt.transaction_id), held=receipt.held,
                        user=str(request.user_id), rules=suspicion.rules)  # fmt: skip
        self._submission_log.accepted(request, receipt, started)
        if receipt.held:
            raise UnderReview
        return receipt

    async def _verify(self, request: ScoreRequest, action: Action, evidence: Any, *, suspect: bool) -> ScoreRequest:
        """Return the request as the verifier confirms it: with its value and its metadata.

        An answer that does not fit the action is a fault of the verifier, as if it had not answered.
        """
        report = CompletionReport(
            request.user_id,
            action.id,
            request.category.id,
            None if action.is_stated else request.points,
            request.started_at,
            evidence,
            suspect,
        )
        verification = await self._verifiers.verify(report)
        try:
            confirmed = _confirmed(request, action, verification)
        except BadUserInput as problem:
            log.error("verifier_answer_invalid", action=action.id, reason=problem.message)
            raise ServiceUnavailable from None
        self.verifications["denied" if confirmed is None else "confirmed"] += 1
        if confirmed is None:
            log.warning("completion_not_verified", user=str(request.user_id), action=action.id, suspect=suspect,
                        value=verification.value)  # fmt: skip
            raise VerificationFailed
        return confirmed


def _confirmed(request: ScoreRequest, action: Action, verification: Verification) -> ScoreRequest | None:
    """Return the request with what the verifier states; None if it denies the completion or states an extreme value.

    Raises:
        BadUserInput: The value or the metadata does not fit the action.
    """
    if not verification.accepted:
        return None
    points = request.points
    if action.is_stated or verification.value is not None:
        points = require_value(action, verification.value)
        if points not in action.values_in(request.category):
            return None
    metadata = metadata_of(verification.metadata) if request.category.entry_metadata else NO_METADATA
    return replace(request, points=points, metadata=metadata)
