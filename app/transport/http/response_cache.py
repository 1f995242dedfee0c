"""Answers: encoded results of queries, given again for as long as what they rest on is unchanged."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from app.execution import Dependencies, Response
from app.execution.lru_cache import LRUCache

MAX_ENTRIES = 10_000
ENTRY_OVERHEAD = 1000
"""About the bytes that an answer takes besides its body: key, grounds and places in tables."""


class ResponseCache:
    """Keeps bodies by `Operation.key`, for operations that are `cacheable`.

    Guarantees: a body is given out only while all that its execution rested on is the very same; only whole results
    without errors are kept, and none that could be different for another viewer. What is kept is bounded; what was used
    longest ago is dropped first.
    """

    def __init__(self, make_context: Callable[[Dependencies], object], size: int) -> None:
        """Keep about `size` bytes.

        `public` makes the contexts in which such operations are executed: without a viewer, so that not even a resolver
        with a wrong mark could show one viewer what belongs to another.
        """
        self.make_context = make_context
        self.hits = 0
        """How often a body was given out again."""
        self._bodies: LRUCache[Hashable, tuple[bytes, Dependencies]] = LRUCache(MAX_ENTRIES, size)

    def get(self, key: Hashable) -> bytes | None:
        """The body kept under `key`, or None when there is none that still holds."""
        found = self._bodies.get(key)
        if found is None or not found[1].are_current():
            return None
        self.hits += 1
        return found[0]

    def put(self, key: Hashable, response: Response, body: bytes, dependencies: Dependencies) -> None:
        """Keep `body`, which encodes `response`, if it may be given again. It takes the place of what was there."""
        if response.data is not None and not response.errors and dependencies.complete(len(response.data)):
            self._bodies.put(key, (body, dependencies), len(body) + ENTRY_OVERHEAD)
