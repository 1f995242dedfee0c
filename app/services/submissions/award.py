"""Award: what every action that a player submits goes through before it is paid."""

from __future__ import annotations

from collections import Counter
from typing import Any

import structlog

from app.domain.errors import UnderReview, VerificationFailed
from app.domain.ledger.idempotency import json_text
from app.domain.ledger.posting import ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.rules.fraud import Thresholds
from app.domain.rules.judge import NeedsVerification, PlayerPolicy
from app.runtime import Runtime
from app.services.ledger.post import Ledger
from app.services.submissions.verifiers import CompletionReport, Verifiers

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
    ) -> None:
        """Configure the awards.

        Args:
            ledger: Where submissions are posted.
            verifiers: The verifiers of the actions.
            thresholds: Those of fraud detection; None switches it off.
            runtime: The source of randomness for spot checks.
            spot_check_rate: The share of submissions that is verified at random, from 0 to 1.
        """
        self.outcomes: Counter[str] = Counter()
        """How many submissions were `paid`, `flagged` (and paid), `held`, `verified` and `not_verified`."""
        self._ledger = ledger
        self._verifiers = verifiers
        self._thresholds = thresholds
        self._runtime = runtime
        self._spot_check_rate = spot_check_rate

    async def award(self, request: ScoreRequest, evidence: Any = None) -> Receipt:
        """Post the request of a player for an action, and return its receipt.

        Only a submission that is paid or held consumes its token.

        Args:
            request: The request.
            evidence: What the game knows about the action, for the verifier.

        Raises:
            BadUserInput: The evidence is larger than 8 KiB as JSON.
            VerificationFailed: The verifier does not confirm the action.
            UnderReview: The submission is held for a moderator.
            ServiceUnavailable: The verifier or PostgreSQL cannot be used.
            DomainError: What the rules of the action and `Ledger.post` raise.
        """
        assert request.action is not None
        if evidence is not None:
            json_text(evidence, "data", MAX_EVIDENCE_BYTES)
        is_verified = self._verifiers.accepts_without_asking(request.action.id)
        is_spot_check = not is_verified and self._runtime.random.random() < self._spot_check_rate
        receipt = await self._ledger.post(request, PlayerPolicy(self._thresholds, is_verified, is_spot_check))
        if isinstance(receipt, NeedsVerification):
            await self._verify(request, evidence, suspect=receipt.is_suspect)
            receipt = await self._ledger.post(request, PlayerPolicy(self._thresholds, is_verified=True))
            assert isinstance(receipt, Receipt)
        suspicion = receipt.suspicion
        self.outcomes["held" if receipt.held else "flagged" if suspicion else "paid"] += 1
        if suspicion:
            log.warning("completion_suspected", transaction=str(receipt.transaction_id), held=receipt.held,
                        user=str(request.user_id), rules=suspicion.rules)  # fmt: skip
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
