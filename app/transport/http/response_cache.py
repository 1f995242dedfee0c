"""The cache of encoded responses to queries, valid while their dependencies are unchanged."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from app.execution import Dependencies, Response
from app.execution.lru_cache import LRUCache

MAX_ENTRIES = 10_000
ENTRY_OVERHEAD = 1000
"""About the bytes that an entry takes besides its body: key, dependencies and slots in tables."""


class ResponseCache:
    """Caches bodies by `BoundOperation.key`, for operations that are `cacheable`.

    Guarantees: a body is returned only while all dependencies of its execution are unchanged; only complete results
    without errors are cached, and none that could differ for another viewer. The cache is bounded, and evicts the least
    recently used entries.
    """

    def __init__(self, make_context: Callable[[Dependencies], object], max_bytes: int) -> None:
        """Create a cache.

        Args:
            make_context: Returns the context in which cacheable operations are executed. It has no viewer, so that even
                a resolver with wrong metadata cannot return the data of one viewer to another.
            max_bytes: About the memory that the cache takes.
        """
        self.make_context = make_context
        self.hits = 0
        """How often a cached body was returned."""
        self.misses = 0
        """How often there was none that is still valid."""
        self._bodies: LRUCache[Hashable, tuple[bytes, Dependencies]] = LRUCache(MAX_ENTRIES, max_bytes)

    def get(self, key: Hashable) -> bytes | None:
        """Return the body cached under `key` if it is still valid, else None."""
        found = self._bodies.get(key)
        if found is None or not found[1].are_current():
            self.misses += 1
            return None
        self.hits += 1
        return found[0]

    def put(
        self, key: Hashable, response: Response, body: bytes, dependencies: Dependencies, *, key_bytes: int = 0
    ) -> None:
        """Cache `body`, which encodes `response`, if it may be cached. It replaces an older entry.

        Args:
            key: The identity of the operation.
            response: The response.
            body: The encoded response.
            dependencies: What the response depends on.
            key_bytes: About the memory that the key takes: it keeps the text of the document alive.
        """
        if response.data is not None and not response.errors and dependencies.is_complete(len(response.data)):
            self._bodies.put(key, (body, dependencies), len(body) + key_bytes + ENTRY_OVERHEAD)
