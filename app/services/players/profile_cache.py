"""Profiles: the names and pictures that boards show, from memory, else Redis, else PostgreSQL."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import orjson
from redis.asyncio import Redis
from sqlalchemy import select

from app.domain.errors import ServiceUnavailable
from app.domain.users import Profile
from app.models import User
from app.stores.postgres import Database
from app.stores.redis import RedisCaller, RedisUnreachable

REDIS_SECONDS = 3600


class ProfileCache:
    """Reads many profiles at once.

    After a change has been committed, `replace` puts it into Redis, and every process that hears of it calls
    `invalidate`. A fill never overwrites, neither here nor in Redis: so a reading from before the change cannot outlive
    it.
    """

    def __init__(
        self, database: Database, redis: Redis, redis_caller: RedisCaller, prefix: str, capacity: int = 50_000
    ) -> None:
        """`capacity`: how many profiles stay in memory; those used least recently go first."""
        self._database = database
        self._redis = redis
        self._redis_caller = redis_caller
        self._prefix = prefix
        self._capacity = capacity
        self._memory: OrderedDict[UUID, Profile] = OrderedDict()
        self._changes = 0

    async def get(self, user_ids: Iterable[UUID]) -> Mapping[UUID, Profile]:
        """The profiles of all those users that exist. Raises ServiceUnavailable when one can be found nowhere."""
        found: dict[UUID, Profile] = {}
        missing: list[UUID] = []
        for user_id in user_ids:
            profile = self._memory.get(user_id)
            if profile is None:
                missing.append(user_id)
            else:
                self._memory.move_to_end(user_id)
                found[user_id] = profile
        if missing:
            found |= await self._fetch(list(dict.fromkeys(missing)))
        return found

    async def names(self, user_ids: Iterable[UUID]) -> Mapping[UUID, Profile]:
        """As `get`, but while PostgreSQL is away, unknown users get a name made from the id."""
        wanted = list(user_ids)
        try:
            return await self.get(wanted)
        except ServiceUnavailable:
            known = {user_id: self._memory[user_id] for user_id in wanted if user_id in self._memory}
            known |= await self._from_redis([user_id for user_id in wanted if user_id not in known])
            return {user_id: known.get(user_id) or _stand_in(user_id) for user_id in wanted}

    def invalidate(self, user_id: UUID) -> None:
        """Drop a profile from the memory of this process."""
        self._changes += 1
        self._memory.pop(user_id, None)

    def invalidate_all(self) -> None:
        """Drop everything: news of changes may have been lost."""
        self._changes += 1
        self._memory.clear()

    async def replace(self, profile: Profile) -> None:
        """Make a changed profile known. Redis not answering is no failure: it forgets by itself within an hour."""
        self.invalidate(profile.id)
        with suppress(RedisUnreachable):
            await self._redis_caller(lambda: self._redis.set(self._key(profile.id), _encode(profile), ex=REDIS_SECONDS))

    async def _fetch(self, user_ids: list[UUID]) -> dict[UUID, Profile]:
        changes = self._changes
        found = await self._from_redis(user_ids)
        missing = [user_id for user_id in user_ids if user_id not in found]
        if missing:
            fresh = await self._from_postgres(missing)
            await self._to_redis(fresh.values())
            found |= fresh
        if changes == self._changes:
            self._remember(found)
        return found

    def _remember(self, profiles: Mapping[UUID, Profile]) -> None:
        self._memory.update(profiles)
        while len(self._memory) > self._capacity:
            self._memory.popitem(last=False)

    async def _from_redis(self, user_ids: list[UUID]) -> dict[UUID, Profile]:
        pipe = self._redis.pipeline(transaction=False)
        for user_id in user_ids:
            pipe.get(self._key(user_id))
        try:
            answers = await self._redis_caller(pipe.execute)
        except RedisUnreachable:
            return {}
        return {user_id: _decode(user_id, raw) for user_id, raw in zip(user_ids, answers, strict=True) if raw}

    async def _from_postgres(self, user_ids: list[UUID]) -> dict[UUID, Profile]:
        columns = (User.id, User.username, User.avatar_url, User.created_at)
        async with self._database.connect() as connection:
            rows = (await connection.execute(select(*columns).where(User.id.in_(user_ids)))).all()
        return {row.id: Profile(row.id, row.username, row.avatar_url, row.created_at) for row in rows}

    async def _to_redis(self, profiles: Iterable[Profile]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for profile in profiles:
            pipe.set(self._key(profile.id), _encode(profile), ex=REDIS_SECONDS, nx=True)
        with suppress(RedisUnreachable):
            await self._redis_caller(pipe.execute)

    def _key(self, user_id: UUID) -> str:
        return f"{self._prefix}:user:{user_id}"


def _stand_in(user_id: UUID) -> Profile:
    return Profile(user_id, f"player-{user_id.hex[-8:]}", None, None)


def _encode(profile: Profile) -> bytes:
    assert profile.created_at is not None
    return orjson.dumps([profile.username, profile.avatar_url, profile.created_at.isoformat()])


def _decode(user_id: UUID, raw: bytes) -> Profile:
    username, avatar_url, created_at = orjson.loads(raw)
    return Profile(user_id, username, avatar_url, datetime.fromisoformat(created_at))
