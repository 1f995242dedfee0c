"""Deletion: a user's name, picture and scores go; the entries of the ledger stay, so that its sums and chains hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.domain.ledger.idempotency import clean_reason
from app.domain.ledger.posting import ScoreRequest, boards_for
from app.domain.ledger.transactions import Actor, Kind
from app.domain.users import Profile
from app.models.statements.ledger.amendments import (
    CLEAR_SCORES,
    FORGET,
    FORGET_METADATA,
    FORGET_MILESTONES,
    FORGET_SESSIONS,
    FORGET_TOKENS,
    totals,
)
from app.models.statements.players.export_user import export
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.amend import Amendment, Amendments
from app.services.players.profile_cache import ProfileCache


@dataclass(frozen=True, slots=True)
class DeletedUser:
    """What is left of a user, and what there was."""

    profile: Profile
    content: dict[str, Any]


class UserDeletion:
    """The use case behind `deleteUser`."""

    def __init__(
        self,
        amendments: Amendments,
        catalogue: CatalogueService,
        profiles: ProfileCache,
        announce: Callable[[UUID], Awaitable[None]],
    ) -> None:
        """`announce` tells all processes that what boards show of a user is different."""
        self._amendments = amendments
        self._catalogue = catalogue
        self._profiles = profiles
        self._announce = announce

    async def __call__(self, moderator: Actor, user_id: UUID, reason: str) -> DeletedUser:
        """Delete a user for good: off every board, without a name, never to come back under this id.

        Raises BadUserInput for the reason; UserNotFound; ServiceUnavailable.
        """
        reason = clean_reason(reason)
        async with self._amendments.begin(user_id) as amendment:
            content = await export(amendment.connection, user_id)
            await self._enter(amendment, moderator, reason)
            await amendment.change_all_scores(CLEAR_SCORES)
            for statement in (FORGET_TOKENS, FORGET_METADATA, FORGET_SESSIONS, FORGET_MILESTONES):
                await amendment.connection.execute(statement, {"user": user_id})
            forgotten = await amendment.connection.execute(FORGET, {"user": user_id, "now": amendment.now})
            row = forgotten.one()
        profile = Profile(user_id, row.username, None, row.created_at)
        await self._profiles.replace(profile)
        await self._announce(user_id)
        return DeletedUser(profile, content)

    async def _enter(self, amendment: Amendment, moderator: Actor, reason: str) -> None:
        """One entry for each category with a score, or one for the user when there is none."""
        scores = await totals(amendment.connection, amendment.account.profile.id)
        for category_id, score in scores.items():
            category = self._catalogue.current.category(category_id)
            (all_time, *_) = boards_for(category, amendment.now)
            claim = ScoreRequest(
                user_id=amendment.account.profile.id,
                category=category,
                kind=Kind.DELETION,
                points=-score,
                actor=moderator,
                reason=reason,
                correction={all_time: -score},
            )
            await amendment.post(claim, await amendment.load(claim))
        if not scores:
            await amendment.note(Kind.DELETION, moderator, reason)
