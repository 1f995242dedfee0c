"""Find players: by id, and by the beginning of their names."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app.domain.errors import BadUserInput
from app.domain.users import Caller, Profile
from app.models.statements.players.search import search_names
from app.services.players.profile_cache import ProfileCache
from app.stores.postgres import Database

MAX_FOUND = 50
"""The maximum of players that a search returns."""

MAX_SEARCH_LENGTH = 60


class FindPlayers:
    """The use cases behind `players` and the nodes that are users. All raise ServiceUnavailable."""

    def __init__(self, database: Database, profiles: ProfileCache) -> None:
        self._database = database
        self._profiles = profiles

    async def find(self, user_id: UUID, viewer: Caller | None) -> Profile | None:
        """Return the user with this id; None if there is none, or if the user is hidden from `viewer`."""
        profile = (await self._profiles.get_with_hidden([user_id])).get(user_id)
        return profile if profile is not None and profile.is_visible_to(viewer) else None

    async def search(self, beginning: str, limit: int) -> Sequence[Profile]:
        """Return players whose names begin with a text, in the order of their names, without hidden ones.

        Case and accents do not matter.

        Raises:
            BadUserInput: The text is empty or too long, or the limit is out of range.
        """
        if not 1 <= limit <= MAX_FOUND:
            raise BadUserInput(f"`first` must be between 1 and {MAX_FOUND}.")
        wanted = beginning.strip()
        if not 1 <= len(wanted) <= MAX_SEARCH_LENGTH:
            raise BadUserInput(f"`search` must have between 1 and {MAX_SEARCH_LENGTH} characters.")
        async with self._database.connect() as connection:
            return await search_names(connection, wanted, limit)
