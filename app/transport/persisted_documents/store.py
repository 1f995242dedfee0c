"""The stores of automatic persisted queries: Redis for all instances, and a cache in the process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from app.execution.lru_cache import LRUCache
from app.transport.persisted_documents.resolve import DocumentStore

PUT_SCRIPT = Path(__file__).with_name("put_document.lua")
GET_SCRIPT = Path(__file__).with_name("get_document.lua")

REFRESH_SECONDS = 600.0
"""How long a document is returned from the cache of the process before the slower store is told that it is in use."""


class RedisDocuments:
    """Documents in Redis: up to `max_entries` of them with up to `max_bytes` together.

    Those used longest ago make room. A document is kept for `ttl` seconds after its last use.

    The store is optional: while Redis is unreachable no document is found, clients send whole texts, and `on_failure`
    is called with the error.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        prefix: str,
        ttl: int = 86_400,
        max_entries: int = 10_000,
        max_bytes: int = 16 * 1024 * 1024,
        max_document_bytes: int = 65_536,
        timeout: float = 0.25,
        on_failure: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        # The braces keep all keys in one slot of a Redis Cluster, as the script demands.
        self.index = f"{prefix}:{{documents}}"
        self._redis = redis
        self._put = redis.register_script(PUT_SCRIPT.read_text())
        self._get = redis.register_script(GET_SCRIPT.read_text())
        self._ttl = ttl
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_document_bytes = max_document_bytes
        self._timeout = timeout
        self._on_failure = on_failure

    async def get(self, digest: str) -> str | None:
        """Return the text stored under `digest`, or None; also when Redis does not answer in time."""
        stored: Any = await self._attempt(self._get(keys=self._keys(digest), args=[self._ttl, digest]))
        return stored.decode(errors="replace") if isinstance(stored, bytes) else stored

    async def put(self, digest: str, text: str) -> None:
        """Store a text of up to `max_document_bytes`, and delete those used longest ago beyond the limits."""
        encoded = text.encode()
        if len(encoded) <= self._max_document_bytes:
            arguments: list[bytes | int | str] = [encoded, self._ttl, self._max_entries, self._max_bytes, digest]
            await self._attempt(self._put(keys=self._keys(digest), args=arguments))

    def _keys(self, digest: str) -> list[str]:
        return [f"{self.index}:{digest}", self.index, f"{self.index}:sizes"]

    async def _attempt(self, call: Any) -> Any:
        try:
            async with asyncio.timeout(self._timeout):
                return await call
        except Exception as error:  # The client raises undocumented errors when a connection closes under a sender.
            self._on_failure(error)
            return None


class RecentDocuments:
    """A cache of the documents used last, in front of a slower store. `max_bytes` limits the total of their texts."""

    def __init__(
        self,
        store: DocumentStore,
        *,
        max_entries: int = 1024,
        max_bytes: int = 8 * 1024 * 1024,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self._recent: LRUCache[str, tuple[str, float]] = LRUCache(max_entries, max_bytes)

    async def get(self, digest: str) -> str | None:
        """Return the text stored under `digest`, or None."""
        recent = self._recent.get(digest)
        if recent is not None and self._monotonic() - recent[1] < REFRESH_SECONDS:
            return recent[0]
        text = await self._store.get(digest)
        if text is None and recent is not None:
            text = recent[0]
            await self._store.put(digest, text)  # It made room for others, although it is in use.
        if text is not None:
            self._cache(digest, text)
        return text

    async def put(self, digest: str, text: str) -> None:
        """Store a text. A client sends one only after some instance did not find it, so it is stored each time."""
        self._cache(digest, text)
        await self._store.put(digest, text)

    def _cache(self, digest: str, text: str) -> None:
        self._recent.put(digest, (text, self._monotonic()), len(text) * 4)
