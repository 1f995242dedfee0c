"""Submit a score: an action token is turned into points."""

from __future__ import annotations

from typing import Any

from app.domain.catalogue.catalogue import Catalogue
from app.domain.errors import ActionTokenExpired, ActionTokenNotYours
from app.domain.ledger.posting import ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Actor, Kind
from app.domain.users import Caller
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.post import Ledger
from app.services.players.provision import UserProvisioning
from app.services.submissions.action_token_codec import ActionClaims
from app.services.submissions.award import AwardService


class SubmitScore:
    """The use case behind the mutation `submitScore`."""

    def __init__(
        self,
        tokens: ActionClaims,
        catalogue: CatalogueService,
        users: UserProvisioning,
        award_service: AwardService,
        ledger: Ledger,
    ) -> None:
        self._tokens = tokens
        self._catalogue = catalogue
        self._users = users
        self._award_service = award_service
        self._ledger = ledger

    async def __call__(
        self,
        caller: Caller,
        token: str,
        data: Any = None,
        *,
        address: str | None = None,
        user_agent: str | None = None,
    ) -> Receipt:
        """Pay `caller` for the action that `token` permitted. `data` goes to the action's verifier.

        Raises the refusals of `app.domain.errors` that concern tokens and actions, and what `AwardService.award`
        raises. A refused submission changes nothing; a repeat, however late, raises ActionTokenUsed with the first
        receipt.
        """
        try:
            claims = self._tokens.verify(token)
        except ActionTokenExpired as late:
            await self._ledger.refuse_replay(late.token_hash, caller.user_id)
            raise
        if claims.user_id != caller.user_id:
            raise ActionTokenNotYours
        await self._users.ensure(caller)
        catalogue: Catalogue = self._catalogue.current
        action = catalogue.action(claims.action_id)
        request = ScoreRequest(
            user_id=caller.user_id,
            category=catalogue.category(action.category),
            kind=Kind.ACTION,
            points=claims.points,
            actor=Actor(caller.user_id, caller.role.value, address, user_agent),
            action=action,
            token_hash=claims.token_hash,
            started_at=claims.issued_at,
        )
        return await self._award_service.award(request, data)
