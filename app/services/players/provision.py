"""The provisioning of users: created at their first request, and updated when their access token has changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from app.domain.errors import Forbidden, UserNotFound
from app.domain.players.names import skeleton
from app.domain.users import Caller, Profile
from app.models.statements.players.profile_changes import RECORD_CHANGE
from app.models.statements.players.users import SELECT_CLAIMED_PROFILES, UPSERT_USER
from app.services.players.profile_changes import ProfileChanges
from app.stores.batching import Batcher
from app.stores.postgres import Database, violated_constraint

MAX_BATCH_SIZE = 128
"""Users per look-up."""

MAX_CONCURRENT_LOOKUPS = 2
"""Look-ups at a time: after a restart all users are looked up, and many at the same time."""

MAX_CACHED_USERS = 50_000
"""Users that a process keeps."""

ClaimedProfile = tuple[str, str | None]
"""The name and picture in the last access token of a user."""


class UserProvisioning:
    """Keeps the table of users equal to what their access tokens claim."""

    def __init__(
        self,
        database: Database,
        changes: ProfileChanges,
        *,
        auto_provision: bool,
        capacity: int = MAX_CACHED_USERS,
    ) -> None:
        """Create an instance with an empty cache.

        Args:
            database: The database of users.
            changes: Announces changed profiles.
            auto_provision: Whether users are created at their first request.
            capacity: How many users are cached.
        """
        self._database = database
        self._changes = changes
        self._auto_provision = auto_provision
        self._capacity = capacity
        self._cached: OrderedDict[UUID, ClaimedProfile] = OrderedDict()
        self.hits = 0
        self.misses = 0
        self._lookup: Batcher[UUID, ClaimedProfile | None] = Batcher(
            self._read_claimed, max_batch_size=MAX_BATCH_SIZE, max_concurrent=MAX_CONCURRENT_LOOKUPS, key=None
        )

    async def ensure(self, caller: Caller) -> None:
        """Create or update the row of the caller with the name and picture of the access token.

        A name that another user has, or that looks like another user's, gets a suffix made from the user's id.

        Raises:
            UserNotFound: The user is new, and users are not created automatically.
            Forbidden: The user was deleted.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        claimed = (caller.username, caller.avatar_url)
        if self._cached.get(caller.user_id) == claimed:
            self.hits += 1
            self._cached.move_to_end(caller.user_id)
            return
        self.misses += 1
        before = await self._lookup.submit(caller.user_id)
        if before is None and not self._auto_provision:
            raise UserNotFound
        if before != claimed:
            await self._write(caller.user_id, caller.username, caller.avatar_url)
        self._cached[caller.user_id] = claimed
        if len(self._cached) > self._capacity:
            self._cached.popitem(last=False)

    async def ensure_exists(self, user_id: UUID, username: str) -> None:
        """Create the row of a user for whom a server acts, unless it exists; an existing name is not changed.

        Raises:
            UserNotFound: The user is new, and users are not created automatically.
            Forbidden: The user was deleted.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        if user_id in self._cached or await self._lookup.submit(user_id) is not None:
            return
        if not self._auto_provision:
            raise UserNotFound
        await self._write(user_id, username, None)

    def invalidate(self, user_id: UUID) -> None:
        """Read the row of this user again at the next request: another process has changed it."""
        self._cached.pop(user_id, None)

    def invalidate_all(self) -> None:
        """Read the rows of all users again at their next requests."""
        self._cached.clear()

    async def _read_claimed(self, user_ids: Sequence[UUID]) -> Sequence[ClaimedProfile | None]:
        """Return what the last access token of each user claimed; None for a user without a row."""
        async with self._database.driver() as connection:
            rows = await connection.execute(SELECT_CLAIMED_PROFILES, {"users": user_ids})
        claims = {user_id: (claimed, avatar_url) for user_id, claimed, avatar_url in rows}
        return [claims.get(user_id) for user_id in user_ids]

    async def _write(self, user_id: UUID, claimed: str, avatar_url: str | None) -> None:
        """Create the row, or change it and announce the change."""
        for username in candidate_usernames(claimed, user_id):
            try:
                async with self._database.begin() as connection:
                    values = {
                        "id": user_id,
                        "username": username,
                        "skeleton": skeleton(username),
                        "claimed": claimed,
                        "avatar_url": avatar_url,
                    }
                    row = (await connection.execute(UPSERT_USER, values)).one_or_none()
                    if row is not None and row.existed:
                        await connection.execute(RECORD_CHANGE, {"user": user_id})
            except IntegrityError as error:
                if violated_constraint(error) not in ("uq_users_username", "uq_users_username_skeleton"):
                    raise
                continue
            if row is None:
                raise Forbidden
            if row.existed:
                profile = Profile(user_id, row.username, row.avatar_url, row.created_at, row.hidden)
                await self._changes.announce(profile)
            return
        raise Forbidden


def candidate_usernames(username: str, user_id: UUID) -> tuple[str, ...]:
    """Return the names to try for a user, the unchanged one first. The last one is unique."""
    return username, f"{username}-{user_id.hex[:4]}", f"{username[:50]}-{user_id.hex[:9]}", user_id.hex
