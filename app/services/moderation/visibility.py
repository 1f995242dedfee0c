"""Visibility: a moderator hides a user from every board, and shows the user again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from app.domain.ledger.idempotency import clean_reason
from app.domain.ledger.transactions import Actor, Kind
from app.domain.users import Profile
from app.models.statements.ledger.amendments import HIDE, HIDE_SCORES
from app.services.ledger.amend import Amendments


class Visibility:
    """The use cases behind `hideUser` and `unhideUser`.

    A hidden user keeps playing and keeps every score; nobody sees it. `reached_at` stays what it was, and with it the
    user's seniority among ties.
    """

    def __init__(self, amendments: Amendments, announce: Callable[[UUID], Awaitable[None]]) -> None:
        """`announce` tells all processes that what boards show of a user is different."""
        self._amendments = amendments
        self._announce = announce

    async def hide(self, moderator: Actor, user_id: UUID, reason: str) -> Profile:
        """Off every board, closed windows included, at once. Hiding a hidden user changes nothing.

        Raises BadUserInput for the reason; UserNotFound; ServiceUnavailable.
        """
        return await self._set(moderator, user_id, reason, hidden=True)

    async def unhide(self, moderator: Actor, user_id: UUID, reason: str) -> Profile:
        """Back on every board, in the old places. Raises as `hide` does."""
        return await self._set(moderator, user_id, reason, hidden=False)

    async def _set(self, moderator: Actor, user_id: UUID, reason: str, *, hidden: bool) -> Profile:
        reason = clean_reason(reason)
        async with self._amendments.begin(user_id) as amendment:
            profile = amendment.account.profile
            if amendment.account.hidden == hidden:
                return profile
            values = {"user": user_id, "hidden_at": amendment.now if hidden else None}
            await amendment.connection.execute(HIDE, values)
            await amendment.note(Kind.HIDING if hidden else Kind.UNHIDING, moderator, reason)
            await amendment.change_all_scores(HIDE_SCORES, hidden=hidden)
        await self._announce(user_id)
        return profile
