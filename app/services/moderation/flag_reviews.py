"""Flag reviews: flags with the profiles of the flagged users."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app.domain.ledger.transactions import Actor
from app.domain.rules.flags import Flag, FlagStatus
from app.domain.users import Profile
from app.services.moderation.reviews import Reviews
from app.services.players.profile_cache import ProfileCache

FlagWithProfile = tuple[Flag, Profile]
"""A flag, and the profile of the user who submitted the completion."""


class FlagReviews:
    """The use cases behind `flags`, `releaseHeld` and `rejectHeld`. See `Reviews` for the errors."""

    def __init__(self, reviews: Reviews, profiles: ProfileCache) -> None:
        self._reviews = reviews
        self._profiles = profiles

    async def read(self, status: FlagStatus, first: int, after: UUID | None) -> tuple[Sequence[FlagWithProfile], bool]:
        """Read the newest flags of a status, and whether there are more.

        Args:
            status: The status.
            first: The maximum number of flags.
            after: The id of the last flag of the previous page.
        """
        flags, has_more = await self._reviews.flags(status, first, after)
        profiles = await self._profiles.get_with_hidden({flag.user_id for flag in flags})
        return [(flag, profiles[flag.user_id]) for flag in flags], has_more

    async def find(self, flag_id: UUID) -> FlagWithProfile | None:
        """Read one flag; None if there is none with this id."""
        flag = await self._reviews.flag(flag_id)
        return None if flag is None else await self._with_profile(flag)

    async def release(self, moderator: Actor, flag_id: UUID, reason: str) -> FlagWithProfile:
        """Decide that a completion is legitimate, so that held points are added."""
        return await self._with_profile(await self._reviews.release(moderator, flag_id, reason))

    async def reject(self, moderator: Actor, flag_id: UUID, reason: str) -> FlagWithProfile:
        """Decide that a completion is not legitimate, so that points are withheld or taken back."""
        return await self._with_profile(await self._reviews.reject(moderator, flag_id, reason))

    async def _with_profile(self, flag: Flag) -> FlagWithProfile:
        return flag, (await self._profiles.get_with_hidden([flag.user_id]))[flag.user_id]
