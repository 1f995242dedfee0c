"""The deletion of a user: personal data and scores are removed; the transactions stay, so that the ledger is valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.domain.events.event import EventType
from app.domain.events.facts import user_changed
from app.domain.ledger.posting import ScoreRequest, boards_for
from app.domain.ledger.transactions import Actor, Kind
from app.domain.texts import clean_reason
from app.domain.users import Profile
from app.models.statements.boards.entry_metadata import DELETE_METADATA_OF_USER
from app.models.statements.ledger.amendments import (
    ANONYMIZE_USER,
    CLEAR_SCORES,
    DELETE_MILESTONES,
    DELETE_ORIGINS,
    DELETE_SIGNING_SESSIONS,
    DELETE_TOKEN_METADATA,
    DELETE_UNUSED_TOKENS,
    ERASE_FLAG_REASONS,
    ERASE_REASONS,
    totals,
)
from app.models.statements.players.export_user import export_user
from app.models.statements.players.profile_changes import RECORD_CHANGE
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.amend import Amendment, Amendments
from app.services.players.profile_changes import ProfileChanges

ERASURES = (
    DELETE_UNUSED_TOKENS,
    DELETE_TOKEN_METADATA,
    DELETE_SIGNING_SESSIONS,
    DELETE_MILESTONES,
    DELETE_ORIGINS,
    DELETE_METADATA_OF_USER,
    ERASE_REASONS,
    ERASE_FLAG_REASONS,
)
"""The statements that erase personal data outside of the user's row. The hashes cover commitments and stay valid."""


@dataclass(frozen=True, slots=True)
class DeletedUser:
    """The remaining profile of a deleted user, and an export of the data as it was before."""

    profile: Profile
    content: dict[str, Any]


class UserDeletion:
    """Deletes users."""

    def __init__(
        self,
        amendments: Amendments,
        catalogue: CatalogueService,
        changes: ProfileChanges,
    ) -> None:
        """Create the use case.

        Args:
            amendments: Changes the ledger of one user under a lock.
            catalogue: The categories.
            changes: Announces changed profiles.
        """
        self._amendments = amendments
        self._catalogue = catalogue
        self._changes = changes

    async def __call__(self, moderator: Actor, user_id: UUID, reason: str) -> DeletedUser:
        """Delete a user permanently: from every board and without a name. The id cannot be used again.

        Raises:
            BadUserInput: The reason is invalid.
            UserNotFound: There is no such user.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        reason = clean_reason(reason)
        async with self._amendments.begin(user_id) as amendment:
            content = await export_user(amendment.connection, user_id)
            await self._post_deletions(amendment, moderator, reason)
            await amendment.change_all_scores(CLEAR_SCORES)
            for statement in ERASURES:
                await amendment.connection.execute(statement, {"user": user_id})
            deleted = await amendment.connection.execute(ANONYMIZE_USER, {"user": user_id, "now": amendment.now})
            row = deleted.one()
            await amendment.connection.execute(RECORD_CHANGE, {"user": user_id})
            await amendment.record(user_changed(EventType.USER_DELETED, user_id, amendment.now))
        profile = Profile(user_id, row.username, None, row.created_at)
        await self._changes.announce(profile)
        return DeletedUser(profile, content)

    async def _post_deletions(self, amendment: Amendment, moderator: Actor, reason: str) -> None:
        """Post a transaction for each category with a score, or one without a category if there is none."""
        scores = await totals(amendment.connection, amendment.account.profile.id)
        for category_id, score in scores.items():
            category = self._catalogue.current.category(category_id)
            (all_time, *_) = boards_for(category, amendment.now)
            request = ScoreRequest(
                user_id=amendment.account.profile.id,
                category=category,
                kind=Kind.DELETION,
                points=-score,
                actor=moderator,
                reason=reason,
                correction={all_time: -score},
            )
            await amendment.post(request, await amendment.load(request))
        if not scores:
            await amendment.note(Kind.DELETION, moderator, reason)
