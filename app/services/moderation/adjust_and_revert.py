"""Corrections: a moderator adjusts a score, or reverts a transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from app.domain.catalogue.catalogue import Operator
from app.domain.errors import BadUserInput, DuplicateAction
from app.domain.ledger.corrections import (
    REVERSIBLE,
    PriorTransaction,
    adjustment,
    deciding_transactions,
    reversal,
    reversal_key,
    setting,
)
from app.domain.ledger.idempotency import clean_key, content_hash, request_key
from app.domain.ledger.metadata import NO_METADATA, Metadata
from app.domain.ledger.posting import Account, ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Actor, Kind
from app.domain.rules.judge import FinalPolicy
from app.domain.scores import MAX_SCORE
from app.domain.texts import clean_reason
from app.models.statements.boards.entry_metadata import metadata_of_transactions
from app.models.statements.ledger.amendments import chain, find, has_request
from app.models.statements.retention.archived_months import has_archived_transactions
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.amend import Amendment, Amendments
from app.services.ledger.post import Ledger
from app.stores.postgres import Database


class Corrections:
    """Adjusts scores and reverts transactions. The caller must have checked that `moderator` is one."""

    def __init__(self, ledger: Ledger, amendments: Amendments, catalogue: CatalogueService, database: Database) -> None:
        self._ledger = ledger
        self._amendments = amendments
        self._catalogue = catalogue
        self._database = database

    async def adjust(
        self, moderator: Actor, user_id: UUID, category_id: str, delta: int, reason: str, idempotency_key: str
    ) -> Receipt:
        """Add `delta` to a user's score, on the all-time board and on the boards of the open windows.

        Args:
            moderator: The actor of the transaction.
            user_id: The user.
            category_id: The category.
            delta: The points to add; negative to subtract.
            reason: The reason, recorded in the transaction.
            idempotency_key: A repetition with the same key and content gets the first receipt.

        Raises:
            BadUserInput: An argument is invalid, the key was used with other content, or no score would change.
            CategoryNotFound: There is no such category.
            UserNotFound: There is no such user.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        if not 0 < abs(delta) <= MAX_SCORE:
            raise BadUserInput(f"The adjustment must be a whole number from -{MAX_SCORE} to {MAX_SCORE}, and not 0.")
        request = self._adjustment(moderator, user_id, category_id, delta, reason, idempotency_key)
        return await self._post(request, _with_adjustment)

    async def set_score(
        self, moderator: Actor, user_id: UUID, category_id: str, score: int, reason: str, idempotency_key: str
    ) -> Receipt:
        """Set a user's score on the all-time board, and change the boards of the open windows as `adjust` does.

        Raises the errors of `adjust`, also for a score beyond the cap of the category.
        """
        cap = self._catalogue.current.category(category_id).score_cap
        if not 0 <= score <= cap:
            raise BadUserInput(f"The score must be from 0 to {cap}, the cap of the category.")
        request = self._adjustment(moderator, user_id, category_id, score, reason, idempotency_key, "set")
        return await self._post(request, setting)

    def _adjustment(
        self,
        moderator: Actor,
        user_id: UUID,
        category_id: str,
        points: int,
        reason: str,
        idempotency_key: str,
        *content: str,
    ) -> ScoreRequest:
        assert moderator.id is not None
        return ScoreRequest(
            user_id=user_id,
            category=self._catalogue.current.category(category_id),
            kind=Kind.ADJUSTMENT,
            points=points,
            actor=moderator,
            request_key=request_key("adjust", moderator.id, clean_key(idempotency_key)),
            request_hash=content_hash(str(user_id), category_id, points, *content),
            reason=clean_reason(reason),
        )

    async def _post(self, request: ScoreRequest, policy: FinalPolicy) -> Receipt:
        try:
            return await self._ledger.post(request, policy)
        except DuplicateAction as repeat:
            return repeat.receipt

    async def revert(self, moderator: Actor, transaction_id: UUID, reason: str) -> Receipt:
        """Revert a transaction, on the all-time board and on the boards of its windows that are still open.

        Raises:
            BadUserInput: The transaction does not exist, cannot be reverted, or has already been reverted.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        reason = clean_reason(reason)
        async with self._database.connect() as connection:
            prior = await find(connection, transaction_id)
        if prior is None:
            raise BadUserInput("No transaction with this id exists.")
        receipts: list[Receipt] = []
        async with self._amendments.begin(prior.user_id, receipts) as amendment:
            await self.revert_within(amendment, prior, moderator, reason)
        return receipts[0]

    async def revert_within(self, amendment: Amendment, prior: PriorTransaction, moderator: Actor, reason: str) -> UUID:
        """Revert a transaction as a part of an amendment of its user; return the id of the reversal."""
        if prior.kind not in REVERSIBLE or prior.category_id is None:
            raise BadUserInput("This transaction did not change a score, so it cannot be reverted.")
        key = reversal_key(prior.id)
        if await has_request(amendment.connection, key):
            raise BadUserInput("This transaction has already been reverted.")
        category = self._catalogue.current.category(prior.category_id)
        if category.operator is not Operator.SUM and await has_archived_transactions(
            amendment.connection, prior.user_id, category.id
        ):
            raise BadUserInput("Transactions that decide the score were archived. Adjust the score instead.")
        request = ScoreRequest(
            user_id=prior.user_id,
            category=category,
            kind=Kind.REVERSAL,
            points=-prior.delta,
            actor=moderator,
            request_key=key,
            reason=reason,
        )
        account = await amendment.load(request)
        entries = await chain(amendment.connection, prior.user_id, category.id)
        correction = reversal(category, account, prior, entries, amendment.now)
        metadata: Metadata = NO_METADATA
        if category.entry_metadata:
            deciding = deciding_transactions(category, prior, entries, correction)
            metadata = await metadata_of_transactions(
                amendment.connection,
                prior.user_id,
                category.id,
                [(board.window.period, award.created_at) for board, award in deciding],
            )
        posting = await amendment.post(replace(request, correction=correction, metadata=metadata), account)
        return posting.transaction.id


def _with_adjustment(request: ScoreRequest, account: Account, now: datetime) -> ScoreRequest:
    return replace(request, correction=adjustment(request.category, account, request.points, now))
