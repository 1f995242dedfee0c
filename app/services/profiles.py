"""Profiles: the names and pictures that boards show, from memory, else Redis, else PostgreSQL."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

import orjson
from redis.asyncio import Redis
from sqlalchemy import select

from app.domain.users import Profile
from app.models import User
from app.services.database import Database
from app.services.standings.guard import Guard, Unreachable

REDIS_SECONDS = 3600


class Profiles:
    """Reads many profiles at once. A changed one must be dropped everywhere: `forget` here, `drop` in Redis."""

    def __init__(self, database: Database, redis: Redis, guard: Guard, prefix: str, capacity: int = 50_000) -> None:
        """`capacity`: how many profiles stay in memory; those used least recently go first."""
        self._database = database
        self._redis = redis
        self._guard = guard
        self._prefix = prefix
        self._capacity = capacity
        self._memory: OrderedDict[UUID, Profile] = OrderedDict()

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

    def remember(self, profile: Profile) -> None:
        """Keep a profile that was just read from PostgreSQL."""
        self._memory[profile.id] = profile
        self._memory.move_to_end(profile.id)
        if len(self._memory) > self._capacity:
            self._memory.popitem(last=False)

    def forget(self, user_id: UUID) -> None:
        """Drop a profile from the memory of this process."""
        self._memory.pop(user_id, None)

    def forget_all(self) -> None:
        """Drop everything: news of changes may have been lost."""
        self._memory.clear()

    async def drop(self, user_id: UUID) -> None:
        """Drop a profile from Redis and from this process. Raises Unreachable."""
        self.forget(user_id)
        await self._guard(lambda: self._redis.delete(self._key(user_id)))

    async def _fetch(self, user_ids: list[UUID]) -> dict[UUID, Profile]:
        found = await self._from_redis(user_ids)
        missing = [user_id for user_id in user_ids if user_id not in found]
        if missing:
            fresh = await self._from_postgres(missing)
            await self._to_redis(fresh.values())
            found |= fresh
        for profile in found.values():
            self.remember(profile)
        return found

    async def _from_redis(self, user_ids: list[UUID]) -> dict[UUID, Profile]:
        pipe = self._redis.pipeline(transaction=False)
        for user_id in user_ids:
            pipe.get(self._key(user_id))
        try:
            answers = await self._guard(pipe.execute)
        except Unreachable:
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
            pipe.set(self._key(profile.id), _encode(profile), ex=REDIS_SECONDS)
        try:
            await self._guard(pipe.execute)
        except Unreachable:
            return

    def _key(self, user_id: UUID) -> str:
        return f"{self._prefix}:user:{user_id}"


def _encode(profile: Profile) -> bytes:
    return orjson.dumps([profile.username, profile.avatar_url, profile.created_at.isoformat()])


def _decode(user_id: UUID, raw: bytes) -> Profile:
    username, avatar_url, created_at = orjson.loads(raw)
    return Profile(user_id, username, avatar_url, datetime.fromisoformat(created_at))
