"""Announcements: notices that this process sends to all processes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from app.domain.players.milestones import Milestone
from app.pubsub.channels.channel_connection import OUTAGES
from app.pubsub.channels.events import CatalogueChanged, MilestoneReached, Notice, ProfileChanged
from app.pubsub.channels.notices import Notices
from app.services.past_answers import PastAnswers


class Announcements:
    """Publishes notices. While Redis is unavailable they are dropped: receivers treat the gap as a loss of notices.

    A process that alone is cut off from Redis causes no gap, so it reports a lost change of a profile in another way.
    """

    def __init__(
        self, notices: Notices, past_answers: PastAnswers, on_profile_change_lost: Callable[[], Awaitable[object]]
    ) -> None:
        """Create announcements.

        Args:
            notices: The channel.
            past_answers: Answers about the past in this process, dropped before a change of a user is announced.
            on_profile_change_lost: Awaited when Redis did not take the notice of a changed profile.
        """
        self._notices = notices
        self._past_answers = past_answers
        self._on_profile_change_lost = on_profile_change_lost

    async def profile_changed(self, user_id: UUID) -> None:
        """Announce that a user's profile, or their visibility on boards, has changed."""
        self._past_answers.clear()
        if not await self._publish(ProfileChanged(user_id)):
            await self._on_profile_change_lost()

    async def milestone_reached(self, milestone: Milestone) -> None:
        """Announce a milestone to the subscribers of all processes."""
        await self._publish(MilestoneReached(milestone))

    async def catalogue_changed(self) -> None:
        """Announce that the catalogue must be read again."""
        await self._publish(CatalogueChanged())

    async def _publish(self, notice: Notice) -> bool:
        try:
            await self._notices.publish(notice)
        except OUTAGES:
            return False
        return True
