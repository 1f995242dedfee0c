"""One log line for each accepted submission, or for a sample of them."""

from __future__ import annotations

import structlog

from app.domain.ledger.posting import ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.runtime import Runtime

log = structlog.get_logger(__name__)


class SubmissionLog:
    """Logs accepted submissions at the level INFO."""

    def __init__(self, runtime: Runtime, *, rate: float) -> None:
        """Create the log.

        Args:
            runtime: The sources of time and randomness.
            rate: The share of submissions that is logged, from 0 to 1.
        """
        self.now = runtime.monotonic
        self._random = runtime.random
        self._rate = rate

    def accepted(self, request: ScoreRequest, receipt: Receipt, started: float) -> None:
        """Log a submission that was paid or held.

        Args:
            request: The submission.
            receipt: Its receipt.
            started: When it arrived, by `now`.
        """
        if self._rate < 1 and self._random.random() >= self._rate:
            return
        actor = request.actor
        log.info(
            "submission_accepted",
            user=str(request.user_id),
            actor=None if actor.id == request.user_id else str(actor.id),
            kind=request.kind.value,
            action=None if request.action is None else request.action.id,
            category=receipt.category,
            transaction=str(receipt.transaction_id),
            score_delta=receipt.delta,
            new_score=receipt.new_score,
            rank=receipt.current_rank,
            held=receipt.held,
            latency_ms=round((self.now() - started) * 1000, 1),
        )
