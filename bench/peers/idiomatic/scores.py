"""Issue, submit and read, one call to a store after the other."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from broadcaster import Broadcast
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bench.peers.idiomatic.tables import ActionTokenRow, TransactionRow, UserRow, utc_now

CHANNEL = "idiomatic-board"
BOARD, NAMES = "idiomatic:board", "idiomatic:names"
PER_MINUTE = 1_000_000
ENTRIES = 10


class RefusedScore(Exception):
    """The action token cannot be turned into points."""


@dataclass
class AcceptedScore:
    """What became of a submission."""

    transaction_id: UUID
    user_id: UUID
    before: int
    after: int
    rank_before: int | None
    rank_after: int | None


class Scores:
    """The use cases of the peer."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], redis: Any, broadcast: Broadcast) -> None:
        self._sessions = sessions
        self._redis = redis
        self._broadcast = broadcast

    async def issue(self, user_id: UUID, points: int) -> str:
        """Issue a new action token."""
        await self._count(f"idiomatic:issue:{user_id}")
        token = secrets.token_urlsafe(32)
        async with self._sessions() as session, session.begin():
            session.add(ActionTokenRow(token_hash=hash_of(token), user_id=user_id, points=points))
        return token

    async def submit(self, user_id: UUID, token: str) -> AcceptedScore:
        """Points for an action token, once. Raises Refused."""
        await self._count(f"idiomatic:submit:{user_id}")
        async with self._sessions() as session, session.begin():
            row = await session.get(ActionTokenRow, hash_of(token), with_for_update=True)
            if row is None or row.user_id != user_id or row.used_at is not None:
                raise RefusedScore
            user = await session.get_one(UserRow, user_id, with_for_update=True)
            row.used_at = utc_now()
            user.score += row.points
            entry = TransactionRow(user_id=user_id, token_hash=row.token_hash, delta=row.points, score=user.score)
            session.add(entry)
            await session.flush()
            accepted = AcceptedScore(entry.id, user_id, user.score - row.points, user.score, None, None)
        accepted.rank_before = await self._rank(user_id)
        await self._redis.zadd(BOARD, {str(user_id): accepted.after})
        accepted.rank_after = await self._rank(user_id)
        if (accepted.rank_after or 0) <= ENTRIES:
            await self._broadcast.publish(CHANNEL, json.dumps(await self.top(ENTRIES)))
        return accepted

    async def top(self, limit: int) -> dict[str, Any]:
        """Return the first entries of the board and its number of users."""
        rows = await self._redis.zrevrange(BOARD, 0, limit - 1, withscores=True)
        names = await self._redis.hmget(NAMES, [user_id for user_id, _ in rows])
        total = await self._redis.zcard(BOARD)
        entries = [
            {"rank": rank, "score": int(score), "id": user_id, "username": name}
            for rank, ((user_id, score), name) in enumerate(zip(rows, names, strict=True), 1)
        ]
        return {"total": total, "entries": entries}

    async def standing(self, user_id: UUID) -> tuple[int | None, int, int, str]:
        """Rank, score, number of users, and the user's name."""
        score = await self._redis.zscore(BOARD, str(user_id))
        name = await self._redis.hget(NAMES, str(user_id))
        return await self._rank(user_id), int(score or 0), await self._redis.zcard(BOARD), name or ""

    async def _rank(self, user_id: UUID) -> int | None:
        position = await self._redis.zrevrank(BOARD, str(user_id))
        return None if position is None else position + 1

    async def _count(self, key: str) -> None:
        if (hits := await self._redis.incr(key)) == 1:
            await self._redis.expire(key, 60)
        if hits > PER_MINUTE:
            raise RefusedScore


def hash_of(token: str) -> bytes:
    """Return the hash by which a token is stored."""
    return hashlib.sha256(token.encode()).digest()


def connect(url: str) -> Any:
    """Return a client that decodes responses."""
    return Redis.from_url(url, decode_responses=True)
