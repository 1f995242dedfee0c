"""The public profile of a player: totals, averages, the last action and achievements."""

from __future__ import annotations

from uuid import UUID

from app.domain.players.profiles import PlayerProfile
from app.domain.users import Caller
from app.models.statements.players.milestones import milestones_of
from app.models.statements.players.profiles import read_last_action, read_totals, read_user
from app.stores.postgres import Database


class ReadPlayerProfile:
    """Reads profiles, one user per call. Lists of users use the cached names and pictures instead."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, user_id: UUID, viewer: Caller | None) -> PlayerProfile | None:
        """Return the profile of a user, consistent as of one moment.

        Args:
            user_id: The user.
            viewer: The caller; None for an anonymous request.

        Returns:
            The profile; None if there is no such user, or if the user is hidden from the viewer. Hidden users are
            visible to themselves and to moderators only.

        Raises:
            ServiceUnavailable: PostgreSQL does not answer.
        """
        async with self._database.snapshot() as connection:
            user = await read_user(connection, user_id)
            if user is None or not user.is_visible_to(viewer):
                return None
            return PlayerProfile(
                user=user,
                totals=tuple(await read_totals(connection, user_id)),
                last_action=await read_last_action(connection, user_id),
                achievements=tuple(await milestones_of(connection, user)),
            )
