"""The cache of profiles, the names and pictures on boards: in memory, then in Redis, then in PostgreSQL."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import orjson
from redis.asyncio import Redis

from app.domain.errors import ServiceUnavailable
from app.domain.users import Caller, Profile
from app.models.statements.players.users import read_profiles
from app.services.players.profile_generation import ProfileGeneration
from app.stores.postgres import Database
from app.stores.redis_caller import RedisCaller, RedisUnreachable

REDIS_TTL_SECONDS = 3600
"""How long a profile stays in Redis."""

MAX_CACHED_PROFILES = 50_000
"""Profiles that a process keeps."""


class ProfileCache:
    """Reads many profiles at once.

    After a change was committed, `store` writes it to Redis, and every process that is notified calls `invalidate`.
    Reads never overwrite an entry, neither in memory nor in Redis, so that a profile read before the change cannot
    replace the new one.
    """

    def __init__(
        self,
        database: Database,
        redis: Redis,
        redis_caller: RedisCaller,
        prefix: str,
        generation: ProfileGeneration,
        capacity: int = MAX_CACHED_PROFILES,
    ) -> None:
        """Create an empty cache.

        Args:
            database: Read if Redis does not have a profile.
            redis: The client.
            redis_caller: Calls Redis behind a circuit breaker.
            prefix: The beginning of all keys.
            generation: Part of all keys.
            capacity: How many profiles stay in memory; those used least recently are evicted.
        """
        self._database = database
        self._redis = redis
        self._redis_caller = redis_caller
        self._prefix = prefix
        self._generation = generation
        self._capacity = capacity
        self._memory: OrderedDict[UUID, Profile] = OrderedDict()
        self._invalidations = 0
        self.hits = 0
        self.misses = 0

    async def get(self, user_ids: Iterable[UUID], viewer: Caller | None = None) -> Mapping[UUID, Profile]:
        """Return the profiles of those `user_ids` that exist, as `viewer` may see them; None sees what everybody sees.

        Raises:
            ServiceUnavailable: A profile is not cached, and PostgreSQL does not answer.
        """
        return _as_seen_by(viewer, await self.get_with_hidden(user_ids))

    async def get_with_hidden(self, user_ids: Iterable[UUID]) -> Mapping[UUID, Profile]:
        """Return profiles as `get` does, those of hidden users included: for moderators and the users themselves."""
        found: dict[UUID, Profile] = {}
        missing: list[UUID] = []
        for user_id in user_ids:
            profile = self._memory.get(user_id)
            if profile is None:
                missing.append(user_id)
            else:
                self._memory.move_to_end(user_id)
                found[user_id] = profile
        self.hits += len(found)
        self.misses += len(missing)
        if missing:
            found |= await self._fetch(list(dict.fromkeys(missing)))
        return found

    async def get_or_placeholders(self, user_ids: Iterable[UUID]) -> Mapping[UUID, Profile]:
        """Return profiles as `get` does, but if PostgreSQL does not answer, with names made from ids where needed."""
        wanted = list(user_ids)
        try:
            return await self.get(wanted)
        except ServiceUnavailable:
            cached = {user_id: self._memory[user_id] for user_id in wanted if user_id in self._memory}
            missing = [user_id for user_id in wanted if user_id not in cached]
            cached |= await self._from_redis(missing, self._generation.current)
            visible = _as_seen_by(None, cached)
            return {user_id: visible.get(user_id) or _placeholder(user_id) for user_id in wanted}

    def invalidate(self, user_id: UUID) -> None:
        """Remove a profile from the memory of this process."""
        self._invalidations += 1
        self._memory.pop(user_id, None)

    def invalidate_all(self) -> None:
        """Remove all profiles from the memory of this process: notices of changes may have been lost."""
        self._invalidations += 1
        self._memory.clear()

    async def store(self, profile: Profile) -> None:
        """Store a changed profile in Redis and remove it from memory.

        If Redis does not take it, a new generation begins, so that the old profile is not read any more.
        """
        self.invalidate(profile.id)
        key = self._key(profile.id, self._generation.current)
        try:
            await self._redis_caller(lambda: self._redis.set(key, _encode(profile), ex=REDIS_TTL_SECONDS), writes=True)
        except RedisUnreachable:
            await self._generation.begin_next()

    async def _fetch(self, user_ids: list[UUID]) -> dict[UUID, Profile]:
        invalidations, generation = self._invalidations, self._generation.current
        found = await self._from_redis(user_ids, generation)
        missing = [user_id for user_id in user_ids if user_id not in found]
        if missing:
            fresh = await self._from_postgres(missing)
            await self._to_redis(fresh.values(), generation)
            found |= fresh
        if invalidations == self._invalidations:
            self._keep(found)
        return found

    def _keep(self, profiles: Mapping[UUID, Profile]) -> None:
        self._memory.update(profiles)
        while len(self._memory) > self._capacity:
            self._memory.popitem(last=False)

    async def _from_redis(self, user_ids: list[UUID], generation: str) -> dict[UUID, Profile]:
        pipe = self._redis.pipeline(transaction=False)
        for user_id in user_ids:
            pipe.get(self._key(user_id, generation))
        try:
            replies = await self._redis_caller(pipe.execute)
        except RedisUnreachable:
            return {}
        return {user_id: _decode(user_id, raw) for user_id, raw in zip(user_ids, replies, strict=True) if raw}

    async def _from_postgres(self, user_ids: list[UUID]) -> dict[UUID, Profile]:
        async with self._database.connect() as connection:
            return {profile.id: profile for profile in await read_profiles(connection, user_ids)}

    async def _to_redis(self, profiles: Iterable[Profile], generation: str) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for profile in profiles:
            pipe.set(self._key(profile.id, generation), _encode(profile), ex=REDIS_TTL_SECONDS, nx=True)
        with suppress(RedisUnreachable):
            await self._redis_caller(pipe.execute, writes=True)

    def _key(self, user_id: UUID, generation: str) -> str:
        return f"{self._prefix}:profile:{generation}:{user_id}"


def _as_seen_by(viewer: Caller | None, profiles: Mapping[UUID, Profile]) -> dict[UUID, Profile]:
    return {
        user_id: profile.as_seen_by(viewer) if profile.is_hidden else profile for user_id, profile in profiles.items()
    }


def _placeholder(user_id: UUID) -> Profile:
    return Profile(user_id, f"player-{user_id.hex[-8:]}", None, None)


def _encode(profile: Profile) -> bytes:
    assert profile.created_at is not None
    return orjson.dumps([profile.username, profile.avatar_url, profile.created_at.isoformat(), profile.is_hidden])


def _decode(user_id: UUID, raw: bytes) -> Profile:
    username, avatar_url, created_at, is_hidden = orjson.loads(raw)
    return Profile(user_id, username, avatar_url, datetime.fromisoformat(created_at), is_hidden)
