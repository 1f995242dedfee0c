"""Visibility: a moderator hides a user from every board, or shows the user again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

from app.domain.ledger.idempotency import clean_reason
from app.domain.ledger.transactions import Actor, Kind
from app.domain.users import Profile
from app.models.statements.ledger.amendments import HIDE, HIDE_SCORES
from app.services.ledger.amend import Amendments
from app.services.players.profile_cache import ProfileCache


class Visibility:
    """Hides and shows users.

    A hidden user can go on playing and keeps all scores, but other users do not see them. `reached_at` is not changed,
    and so neither is the order among equal scores.
    """

    def __init__(
        self, amendments: Amendments, profiles: ProfileCache, publish_change: Callable[[UUID], Awaitable[None]]
    ) -> None:
        """Create the use case.

        Args:
            amendments: Changes the ledger of one user under a lock.
            profiles: The cache of profiles.
            publish_change: Notifies all processes that the boards and caches of a user are out of date.
        """
        self._amendments = amendments
        self._profiles = profiles
        self._publish_change = publish_change

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
        async with self._amendments.begin(user_id) as amendment:
            profile = amendment.account.profile
            if amendment.account.hidden == hidden:
                return profile
            values = {"user": user_id, "hidden_at": amendment.now if hidden else None}
            await amendment.connection.execute(HIDE, values)
            await amendment.note(Kind.HIDING if hidden else Kind.UNHIDING, moderator, reason)
            await amendment.change_all_scores(HIDE_SCORES, hidden=hidden)
            changed = replace(profile, is_hidden=hidden)
            # Before the commit, which announces the boards: their next message must not show the name any more.
            await self._store(changed)
        await self._store(changed)
        return changed

    async def _store(self, profile: Profile) -> None:
        await self._profiles.store(profile)
        await self._publish_change(profile.id)
