"""Submit a signed action: an action that was not announced by a token, but signed by the player's client."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from app.domain.errors import StaleTimestamp
from app.domain.ledger.idempotency import content_hash, request_key
from app.domain.ledger.posting import ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Actor, Kind
from app.domain.rules.signed_actions import SignedAction
from app.domain.users import Caller
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.post import Ledger
from app.services.submissions.award import AwardService
from app.services.submissions.signing_sessions import SigningSessions


class SubmitSignedAction:
    """The use case behind the mutation `submitSignedAction`."""

    def __init__(
        self,
        sessions: SigningSessions,
        catalogue: CatalogueService,
        award_service: AwardService,
        ledger: Ledger,
        clock: Callable[[], datetime],
    ) -> None:
        self._sessions = sessions
        self._catalogue = catalogue
        self._award_service = award_service
        self._ledger = ledger
        self._clock = clock

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
        """Pay `caller` for `action`.

        Raises InvalidSignature; StaleTimestamp; DuplicateAction with the first receipt for an action id that has paid,
        however old; InvalidAction; and what `AwardService.award` raises.
        """
        opened_at = await self._sessions.check(caller, action, signature)
        key = request_key("signed", caller.user_id, str(action.action_id))
        content = content_hash(action.action_type, action.difficulty)
        if action.is_stale(self._clock()):
            await self._ledger.refuse_repeats(key, content)
            raise StaleTimestamp
        catalogue = self._catalogue.current
        kind = catalogue.action(action.action_type)
        claim = ScoreRequest(
            user_id=caller.user_id,
            category=catalogue.category(kind.category),
            kind=Kind.SIGNED_ACTION,
            points=kind.points_for(action.difficulty),
            actor=Actor(caller.user_id, caller.role.value, address, user_agent),
            action=kind,
            started_at=opened_at,
            request_key=key,
            request_hash=content,
        )
        return await self._award_service.award(claim, data)
