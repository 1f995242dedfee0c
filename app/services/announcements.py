"""Announcements: notices that this process sends to all processes."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from app.domain.players.milestones import Milestone
from app.pubsub.channels.events import CatalogueChanged, MilestoneReached, Notice, ProfileChanged
from app.pubsub.channels.notices import Notices
from app.pubsub.channels.redis_backend import OUTAGES
from app.services.past_answers import PastAnswers


class Announcements:
    """Publishes notices. While Redis is unavailable they are dropped: receivers treat the gap as a loss of notices."""

    def __init__(self, notices: Notices, past_answers: PastAnswers) -> None:
        """Create the sender. `past_answers` of this process are dropped before a change of a user is announced."""
        self._notices = notices
        self._past_answers = past_answers

    async def profile_changed(self, user_id: UUID) -> None:
        """Announce that a user's profile, or their visibility on boards, has changed."""
        self._past_answers.clear()
        await self._publish(ProfileChanged(user_id))

    async def milestone_reached(self, milestone: Milestone) -> None:
        """Announce a milestone to the subscribers of all processes."""
        await self._publish(MilestoneReached(milestone))

    async def catalogue_changed(self) -> None:
        """Announce that the catalogue must be read again."""
        await self._publish(CatalogueChanged())

    async def _publish(self, notice: Notice) -> None:
        with suppress(*OUTAGES):
            await self._notices.publish(notice)
