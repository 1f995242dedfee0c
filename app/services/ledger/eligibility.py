"""Eligibility before an action starts: what its submission would be refused for is reported before it is played."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.errors import DomainError
from app.domain.ledger.posting import ScoreRequest
from app.domain.rules.eligibility import check_start
from app.runtime import Runtime
from app.services.ledger.load import AccountLoader
from app.stores.batching import Batcher


class Eligibility:
    """Checks requests by the accounts that the ledger would judge them by; the submission is judged all the same."""

    def __init__(self, loader: AccountLoader, runtime: Runtime, *, max_batch_size: int) -> None:
        """`max_batch_size`: how many requests may share one read."""
        self._loader = loader
        self._clock = runtime.clock
        self._queue: Batcher[ScoreRequest, None] = Batcher(
            self._check, max_batch_size=max_batch_size, max_concurrent=2, key=None
        )

    async def require(self, request: ScoreRequest) -> None:
        """Require that the user may begin the action now.

        Raises:
            AlreadyCompleted, CooldownActive, DailyLimitReached: Earlier completions forbid another one.
            UserNotFound: There is no such user.
            ServiceUnavailable: PostgreSQL cannot be used.
        """
        await self._queue.submit(request)

    async def _check(self, requests: Sequence[ScoreRequest]) -> Sequence[Exception | None]:
        refusals = await self._refusals(requests, use_cache=True)
        doubtful = [
            index
            for index, refusal in enumerate(refusals)
            if refusal is not None and not self._loader.is_fresh(requests[index])
        ]
        if doubtful:
            again = await self._refusals([requests[index] for index in doubtful], use_cache=False)
            for index, refusal in zip(doubtful, again, strict=True):
                refusals[index] = refusal
        return refusals

    async def _refusals(self, requests: Sequence[ScoreRequest], *, use_cache: bool) -> list[Exception | None]:
        now = self._clock()
        refusals: list[Exception | None] = []
        for request, account in zip(requests, await self._loader.load(requests, now, use_cache=use_cache), strict=True):
            if isinstance(account, Exception):
                refusals.append(account)
                continue
            try:
                check_start(request, account, now)
            except DomainError as refusal:
                refusals.append(refusal)
            else:
                refusals.append(None)
        return refusals
