"""Issue an action token, before the action starts."""

from __future__ import annotations

from typing import Any

from app.domain.ledger.idempotency import json_text
from app.domain.users import Caller
from app.services.catalogue.cache import CatalogueService
from app.services.players.provision import UserProvisioning
from app.services.submissions.action_token_store import ActionTokens, IssuedActionToken

MAX_METADATA_BYTES = 2048


class IssueToken:
    """The use case behind the mutation `issueActionToken`."""

    def __init__(self, tokens: ActionTokens, catalogue: CatalogueService, users: UserProvisioning) -> None:
        self._tokens = tokens
        self._catalogue = catalogue
        self._users = users

    async def __call__(
        self, caller: Caller, action_id: str, difficulty: str | None = None, metadata: Any = None
    ) -> IssuedActionToken:
        """Issue a token to `caller`.

        Raises:
            InvalidAction: There is no such action or difficulty.
            TooManyOpenTokens: The user has too many unused tokens.
            BadUserInput: The metadata is larger than 2 KiB as JSON.
        """
        action = self._catalogue.current.action(action_id)
        action.points_for(difficulty)
        attributes = None if metadata is None else json_text(metadata, "metadata", MAX_METADATA_BYTES)
        await self._users.ensure(caller)
        return await self._tokens.issue(caller, action, difficulty, attributes)
