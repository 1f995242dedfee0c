"""The check that Redis is new enough for the service."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

MIN_VERSION = (7, 0)
"""The oldest supported version of Redis: major, minor."""


class UnsupportedRedis(RedisError):
    """The server is older than `MIN_VERSION`."""


async def require_supported_version(redis: Redis) -> None:
    """Check the version of the server. Valkey reports the version of Redis that it is compatible with: 7.2 or newer.

    Raises:
        UnsupportedRedis: The server is too old.
        RedisError, OSError, TimeoutError: The server does not answer.
    """
    facts: dict[str, Any] = await redis.info("server")
    version = str(facts["redis_version"])
    major, minor, *_ = version.split(".")
    if (int(major), int(minor)) < MIN_VERSION:
        raise UnsupportedRedis(f"Redis must be version 7.0 or newer, or Valkey; this server is Redis {version}")
