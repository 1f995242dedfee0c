"""Visibility: a moderator hides a user from every board, or shows the user again."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from app.domain.events.event import EventType
from app.domain.events.facts import user_changed
from app.domain.ledger.transactions import Actor, Kind
from app.domain.texts import clean_reason
from app.domain.users import Profile
from app.models.statements.ledger.amendments import HIDE, HIDE_SCORES
from app.models.statements.players.profile_changes import RECORD_CHANGE
from app.services.ledger.amend import Amendments
from app.services.players.profile_changes import ProfileChanges


class Visibility:
    """Hides and shows users.

    A hidden user can go on playing and keeps all scores, but other users do not see them. `reached_at` is not changed,
    and so neither is the order among equal scores.
    """

    def __init__(self, amendments: Amendments, changes: ProfileChanges) -> None:
        """Create the use case.

        Args:
            amendments: Changes the ledger of one user under a lock.
            changes: Announces changed profiles.
        """
        self._amendments = amendments
        self._changes = changes

    async def hide(self, moderator: Actor, user_id: UUID, reason: str) -> Profile:
        """Hide a user from every board, closed windows included. Hiding a hidden user changes nothing.

        Raises:
            BadUserInput: The reason is invalid.
            UserNotFound: There is no such user.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        return await self._set(moderator, user_id, reason, hidden=True)

    async def unhide(self, moderator: Actor, user_id: UUID, reason: str) -> Profile:
        """Show a user on every board again, at the former ranks. Raises the errors of `hide`."""
        return await self._set(moderator, user_id, reason, hidden=False)

    async def _set(self, moderator: Actor, user_id: UUID, reason: str, *, hidden: bool) -> Profile:
        reason = clean_reason(reason)
        before: Profile | None = None
        try:
            async with self._amendments.begin(user_id) as amendment:
                profile = amendment.account.profile
                if amendment.account.hidden == hidden:
                    return profile
                values = {"user": user_id, "hidden_at": amendment.now if hidden else None}
                await amendment.connection.execute(HIDE, values)
                await amendment.connection.execute(RECORD_CHANGE, {"user": user_id})
                await amendment.note(Kind.HIDING if hidden else Kind.UNHIDING, moderator, reason)
                await amendment.change_all_scores(HIDE_SCORES, hidden=hidden)
                event_type = EventType.USER_HIDDEN if hidden else EventType.USER_UNHIDDEN
                await amendment.record(user_changed(event_type, user_id, amendment.now))
                changed = replace(profile, is_hidden=hidden)
                before = profile
                # Before the commit, which announces the boards: their next message must not show the name any more.
                await self._changes.announce(changed)
        except BaseException:
            if before is not None:
                # Not committed, as far as is known; if it is, the recorded change will be announced.
                await self._changes.announce(before)
            raise
        await self._changes.announce(changed)
        return changed
