"""Submit a score: an action token is turned into points."""

from __future__ import annotations

from app.domain.catalogue import Catalogue
from app.domain.errors import ActionTokenNotYours
from app.domain.ledger import Actor, Claim, Kind
from app.domain.receipts import Receipt
from app.domain.rules import check
from app.domain.users import Caller
from app.services.action_tokens import ActionTokens
from app.services.catalogue import CatalogueService
from app.services.ledger import Ledger
from app.services.users import Users


class SubmitScore:
    """The use case behind the mutation `submitScore`."""

    def __init__(self, tokens: ActionTokens, catalogue: CatalogueService, users: Users, ledger: Ledger) -> None:
        self._tokens = tokens
        self._catalogue = catalogue
        self._users = users
        self._ledger = ledger

    async def __call__(
        self, caller: Caller, token: str, *, address: str | None = None, user_agent: str | None = None
    ) -> Receipt:
        """Pay `caller` for the action that `token` permitted.

        Raises the refusals of section "submission" in `app.domain.errors`; a refused submission changes nothing, and
        a repeat raises ActionTokenUsed with the first receipt.
        """
        claims = self._tokens.verify(token)
        if claims.user_id != caller.user_id:
            raise ActionTokenNotYours
        await self._users.ensure(caller)
        catalogue: Catalogue = self._catalogue.current
        action = catalogue.action(claims.action_id)
        claim = Claim(
            user_id=caller.user_id,
            category=catalogue.category(action.category),
            kind=Kind.ACTION,
            points=claims.points,
            actor=Actor(caller.user_id, caller.role.value, address, user_agent),
            action=action,
            token_hash=claims.token_hash,
            started_at=claims.issued_at,
        )
        return await self._ledger.post(claim, check)
