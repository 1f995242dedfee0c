"""Issue an action token, before the action starts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from app.domain.ledger.posting import ScoreRequest
from app.domain.ledger.transactions import Actor, Kind
from app.domain.texts import json_text
from app.domain.users import Caller
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.eligibility import Eligibility
from app.services.players.provision import UserProvisioning
from app.services.submissions.action_token_store import ActionTokens, IssuedActionToken
from app.services.submissions.outcome_counts import counted
from app.services.submissions.verifiers import Verifiers

MAX_METADATA_BYTES = 2048


class IssueToken:
    """The use case behind the mutation `issueActionToken`."""

    def __init__(
        self,
        tokens: ActionTokens,
        catalogue: CatalogueService,
        users: UserProvisioning,
        eligibility: Eligibility,
        verifiers: Verifiers,
    ) -> None:
        self._tokens = tokens
        self._catalogue = catalogue
        self._users = users
        self._eligibility = eligibility
        self._verifiers = verifiers
        self.outcomes: Counter[str] = Counter()
        """How many tokens were issued (ACCEPTED) or refused, by the code."""

    async def __call__(
        self, caller: Caller, action_id: str, difficulty: str | None = None, metadata: Any = None
    ) -> IssuedActionToken:
        """Issue a token to `caller`.

        Raises:
            InvalidAction: There is no such action or difficulty.
            ServerOnlyAction: Players cannot submit the action.
            AlreadyCompleted, CooldownActive, DailyLimitReached: The caller may not complete the action now.
            TooManyOpenTokens: The user has too many unused tokens.
            BadUserInput: The metadata is larger than 2 KiB as JSON.
        """
        with counted(self.outcomes):
            return await self._issue(caller, action_id, difficulty, metadata)

    async def _issue(self, caller: Caller, action_id: str, difficulty: str | None, metadata: Any) -> IssuedActionToken:
        catalogue = self._catalogue.current
        action = catalogue.action(action_id)
        action.points_for(difficulty)
        self._verifiers.require_claimable(action)
        attributes = None if metadata is None else json_text(metadata, "metadata", MAX_METADATA_BYTES)
        await self._users.ensure(caller)
        if action.limits_completions:
            await self._eligibility.require(
                ScoreRequest(
                    user_id=caller.user_id,
                    category=catalogue.category(action.category),
                    kind=Kind.ACTION,
                    points=0,
                    actor=Actor(caller.user_id, caller.role.value),
                    action=action,
                )
            )
        return await self._tokens.issue(caller, action, difficulty, attributes)
