"""The removal of metadata: a moderator takes what a game attached to a user's results off the boards."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from app.domain.ledger.posting import UNCHANGED, ScoreRequest
from app.domain.ledger.transactions import Actor, Kind
from app.domain.texts import clean_reason
from app.domain.users import Profile
from app.models.statements.boards.entry_metadata import delete_metadata
from app.models.statements.players.profile_changes import RECORD_CHANGE
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.amend import Amendments
from app.services.players.profile_changes import ProfileChanges


@dataclass(frozen=True, slots=True)
class RemovedMetadata:
    """The user, and how many transactions had metadata."""

    profile: Profile
    count: int


class MetadataRemoval:
    """Removes metadata. Scores and ranks do not change."""

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
            changes: Announces that the boards and caches of a user are out of date.
        """
        self._amendments = amendments
        self._catalogue = catalogue
        self._changes = changes

    async def __call__(self, moderator: Actor, user_id: UUID, category_id: str, reason: str) -> RemovedMetadata:
        """Remove all metadata of a user in a category permanently.

        Nothing is recorded if there is none.

        Raises:
            BadUserInput: The reason is invalid.
            CategoryNotFound: There is no such category.
            UserNotFound: There is no such user.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        request = ScoreRequest(
            user_id=user_id,
            category=self._catalogue.current.category(category_id),
            kind=Kind.METADATA_REMOVAL,
            points=0,
            actor=moderator,
            reason=clean_reason(reason),
            correction=UNCHANGED,
        )
        async with self._amendments.begin(user_id) as amendment:
            count = await delete_metadata(amendment.connection, user_id, category_id)
            if count:
                await amendment.connection.execute(RECORD_CHANGE, {"user": user_id})
                await amendment.post(request, await amendment.load(request))
        profile = amendment.account.profile
        await self._changes.announce(profile)
        return RemovedMetadata(profile, count)
