"""Users: created when first seen, renamed when their access token says so."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from app.domain.errors import Forbidden, UserNotFound
from app.domain.users import Caller, Profile
from app.models.statements.players.users import SELECT_CLAIMED_PROFILES, UPSERT_USER
from app.services.players.profile_cache import ProfileCache
from app.stores.batching import Batcher
from app.stores.postgres import Database, violated_constraint

BATCH = 128
MAX_CONCURRENT = 2
"""Searches at once: after a restart everybody is looked up, and all at the same time."""

Claimed = tuple[str, str | None]
"""The name and picture that an access token said."""


class UserProvisioning:
    """Keeps the table of users in step with what access tokens say."""

    def __init__(
        self,
        database: Database,
        profiles: ProfileCache,
        announce: Callable[[UUID], Awaitable[None]],
        *,
        auto_provision: bool,
        capacity: int = 50_000,
    ) -> None:
        """`announce` tells all processes that a profile changed. `capacity`: how many users are remembered."""
        self._database = database
        self._profiles = profiles
        self._announce = announce
        self._auto_provision = auto_provision
        self._capacity = capacity
        self._known: OrderedDict[UUID, Claimed] = OrderedDict()
        self._finding: Batcher[UUID, Claimed | None] = Batcher(
            self._find_all, size=BATCH, max_concurrent=MAX_CONCURRENT, key=None
        )

    async def ensure(self, caller: Caller) -> None:
        """See to it that the caller has a row with the name and picture of the token.

        A name that somebody else bears gets a suffix made from the user's id. Raises UserNotFound for a new user
        when provisioning is off, Forbidden for one who was deleted.
        """
        claimed = (caller.username, caller.avatar_url)
        if self._known.get(caller.user_id) == claimed:
            self._known.move_to_end(caller.user_id)
            return
        before = await self._finding.submit(caller.user_id)
        if before is None and not self._auto_provision:
            raise UserNotFound
        if before != claimed:
            profile = await self._write(caller.user_id, caller.username, caller.avatar_url)
            if before is not None:
                await self._profiles.replace(profile)
                await self._announce(profile.id)
        self._known[caller.user_id] = claimed
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)

    async def ensure_exists(self, user_id: UUID, username: str) -> None:
        """See to it that a user exists of whom a server speaks. A name that is known already is left alone.

        Raises UserNotFound for a new user when provisioning is off.
        """
        if user_id in self._known or await self._finding.submit(user_id) is not None:
            return
        if not self._auto_provision:
            raise UserNotFound
        await self._write(user_id, username, None)

    def invalidate(self, user_id: UUID) -> None:
        """Look at the table again for this user: another process changed something."""
        self._known.pop(user_id, None)

    def invalidate_all(self) -> None:
        """Look at the table again for everybody."""
        self._known.clear()

    async def _find_all(self, user_ids: Sequence[UUID]) -> Sequence[Claimed | None]:
        """What the access token of each said last; None for one who has no row."""
        async with self._database.driver() as connection:
            rows = await connection.execute(SELECT_CLAIMED_PROFILES, {"users": user_ids})
        found = {user_id: (claimed, avatar_url) for user_id, claimed, avatar_url in rows}
        return [found.get(user_id) for user_id in user_ids]

    async def _write(self, user_id: UUID, claimed: str, avatar_url: str | None) -> Profile:
        for username in candidate_usernames(claimed, user_id):
            try:
                async with self._database.begin() as connection:
                    values = {
                        "id": user_id,
                        "username": username,
                        "claimed": claimed,
                        "avatar_url": avatar_url,
                    }
                    row = (await connection.execute(UPSERT_USER, values)).one_or_none()
            except IntegrityError as error:
                if violated_constraint(error) != "uq_users_username":
                    raise
                continue
            if row is None:
                raise Forbidden
            return Profile(user_id, row.username, row.avatar_url, row.created_at)
        raise Forbidden


def candidate_usernames(username: str, user_id: UUID) -> tuple[str, ...]:
    """The names to try for a user, the plain one first. The last cannot be taken by accident."""
    return username, f"{username}-{user_id.hex[:4]}", f"{username[:50]}-{user_id.hex[:9]}", user_id.hex
