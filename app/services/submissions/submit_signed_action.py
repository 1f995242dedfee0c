"""Submit a signed action: an action without a token, signed by the player's client."""

from __future__ import annotations

from collections import Counter
from typing import Any

from app.domain.errors import StaleTimestamp
from app.domain.ledger.idempotency import content_hash, request_key
from app.domain.ledger.posting import ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Actor, Kind
from app.domain.rules.signed_actions import SignedAction
from app.domain.users import Caller
from app.runtime import Runtime
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.post import Ledger
from app.services.submissions.award import AwardService
from app.services.submissions.outcome_counts import counted
from app.services.submissions.signing_sessions import SigningSessions


class SubmitSignedAction:
    """The use case behind the mutation `submitSignedAction`."""

    def __init__(
        self,
        sessions: SigningSessions,
        catalogue: CatalogueService,
        award_service: AwardService,
        ledger: Ledger,
        runtime: Runtime,
    ) -> None:
        self._sessions = sessions
        self._catalogue = catalogue
        self._award_service = award_service
        self._ledger = ledger
        self._runtime = runtime
        self.outcomes: Counter[str] = Counter()
        """How many submissions were accepted or refused, by the code."""

    async def __call__(
        self,
        caller: Caller,
        action: SignedAction,
        signature: str,
        data: Any = None,
        *,
        address: str | None = None,
        user_agent: str | None = None,
    ) -> Receipt:
        """Award the points of `action` to `caller`, and return the receipt.

        Raises:
            InvalidSignature: The action is not signed in a session of the caller.
            StaleTimestamp: The timestamp is too far from the server's clock.
            DuplicateAction: The action id has paid, however long ago; the error has the first receipt.
            InvalidAction: There is no such action or difficulty.
            DomainError: What `AwardService.award` raises.
        """
        with counted(self.outcomes):
            return await self._submit(caller, action, signature, data, address, user_agent)

    async def _submit(
        self,
        caller: Caller,
        action: SignedAction,
        signature: str,
        data: Any,
        address: str | None,
        user_agent: str | None,
    ) -> Receipt:
        opened_at = await self._sessions.check(caller, action, signature)
        key = request_key("signed", caller.user_id, str(action.action_id))
        content = content_hash(action.action_type, action.difficulty)
        now = self._runtime.clock()
        if action.is_stale(now):
            await self._ledger.refuse_used_request_key(key, content)
            raise StaleTimestamp(now)
        catalogue = self._catalogue.current
        kind = catalogue.action(action.action_type)
        request = ScoreRequest(
            user_id=caller.user_id,
            category=catalogue.category(kind.category),
            kind=Kind.SIGNED_ACTION,
            points=kind.points_for(action.difficulty) or 0,
            actor=Actor(caller.user_id, caller.role.value, address, user_agent),
            action=kind,
            started_at=opened_at,
            request_key=key,
            request_hash=content,
        )
        return await self._award_service.award(request, data)
