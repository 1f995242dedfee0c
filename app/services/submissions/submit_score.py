"""Submit a score: an action token is exchanged for points.

The types along the way: ActionTokenClaims (of the token), ScoreRequest, Posting (in the ledger), Receipt.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from app.domain.errors import ActionTokenExpired, ActionTokenNotYours, InvalidActionToken
from app.domain.ledger.posting import ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Actor, Kind
from app.domain.users import Caller
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.post import Ledger
from app.services.players.provision import UserProvisioning
from app.services.submissions.action_token_codec import ActionTokenCodec
from app.services.submissions.award import AwardService
from app.services.submissions.outcome_counts import counted


class SubmitScore:
    """The use case behind the mutation `submitScore`."""

    def __init__(
        self,
        codec: ActionTokenCodec,
        catalogue: CatalogueService,
        users: UserProvisioning,
        award_service: AwardService,
        ledger: Ledger,
    ) -> None:
        self._codec = codec
        self._catalogue = catalogue
        self._users = users
        self._award_service = award_service
        self._ledger = ledger
        self.outcomes: Counter[str] = Counter()
        """How many submissions were accepted or refused, by the code."""

    async def __call__(
        self,
        caller: Caller,
        token: str,
        data: Any = None,
        *,
        address: str | None = None,
        user_agent: str | None = None,
    ) -> Receipt:
        """Award the points of the action that `token` permitted, and return the receipt.

        A refused submission changes nothing.

        Args:
            caller: The user that the token was issued to.
            token: The action token.
            data: JSON for the verifier of the action.
            address: The address of the client.
            user_agent: The user agent of the client.

        Raises:
            ActionTokenUsed: The token was used; the error has the first receipt, as long as that is kept.
            ActionTokenExpired, ActionTokenNotYours, InvalidActionToken: The token cannot be used.
            DomainError: What `AwardService.award` raises.
        """
        with counted(self.outcomes):
            return await self._submit(caller, token, data, address, user_agent)

    async def _submit(
        self, caller: Caller, token: str, data: Any, address: str | None, user_agent: str | None
    ) -> Receipt:
        try:
            claims = self._codec.verify(token)
        except ActionTokenExpired as expired:
            await self._ledger.refuse_used_token(expired.token_hash, caller.user_id)
            raise
        if claims.user_id != caller.user_id:
            raise ActionTokenNotYours
        await self._users.ensure(caller)
        catalogue = self._catalogue.current
        action = catalogue.action(claims.action_id)
        if claims.points is None and not action.is_stated:
            raise InvalidActionToken  # The action was STATED when the token was issued.
        request = ScoreRequest(
            user_id=caller.user_id,
            category=catalogue.category(action.category),
            kind=Kind.ACTION,
            points=0 if action.is_stated else claims.points or 0,
            actor=Actor(caller.user_id, caller.role.value, address, user_agent),
            action=action,
            token_hash=claims.token_hash,
            started_at=claims.issued_at,
        )
        return await self._award_service.award(request, data)
