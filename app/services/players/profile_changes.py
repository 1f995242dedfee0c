"""Changed profiles: announced at once by the instance that made the change, and once more by a job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from app.domain.users import Profile
from app.models.statements.players.profile_changes import DELETE_CHANGES, SELECT_CHANGES
from app.models.statements.players.users import read_profiles
from app.services.players.profile_cache import ProfileCache
from app.stores.postgres import Database

REPEAT_DELAY = 2.0
"""Seconds after a change at which it is announced once more."""

MAX_BATCH_SIZE = 500
"""Changes that are announced once more at a time."""


class ProfileChanges:
    """Announces changed profiles.

    An instance may end, or be cut off from PostgreSQL, after a commit and before its announcement. Every change is
    therefore recorded in the transaction that makes it, and announced again from what PostgreSQL has. This also repairs
    the cache if two changes of one profile were announced in the wrong order.
    """

    def __init__(
        self, database: Database, profiles: ProfileCache, publish_change: Callable[[UUID], Awaitable[None]]
    ) -> None:
        """Create an instance.

        Args:
            database: Where changes are recorded.
            profiles: The cache that gets changed profiles.
            publish_change: Notifies all instances that the boards and caches of a user are out of date.
        """
        self._database = database
        self._profiles = profiles
        self._publish_change = publish_change

    async def announce(self, profile: Profile) -> None:
        """Replace a changed profile in the cache, and notify all instances."""
        await self._profiles.store(profile)
        await self._publish_change(profile.id)

    async def repeat(self) -> int:
        """Announce the changes that were committed some seconds ago once more; return how many.

        Raises:
            ServiceUnavailable: PostgreSQL does not answer.
        """
        repeated = 0
        while changes := await self._repeat_batch():
            repeated += changes
            if changes < MAX_BATCH_SIZE:
                break
        return repeated

    async def _repeat_batch(self) -> int:
        async with self._database.connect() as connection:
            parameters = {"delay": REPEAT_DELAY, "batch_size": MAX_BATCH_SIZE}
            changes = (await connection.execute(SELECT_CHANGES, parameters)).all()
            profiles = await read_profiles(connection, [change.user_id for change in changes]) if changes else []
        for profile in profiles:
            await self.announce(profile)
        if changes:
            async with self._database.begin() as connection:
                users, times = [change.user_id for change in changes], [change.changed_at for change in changes]
                await connection.execute(DELETE_CHANGES, {"users": users, "times": times})
        return len(changes)
