"""A least-recently-used cache, bounded by the number of its entries and by their weight."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LRUCache(Generic[K, V]):
    """The entries used last, up to `max_entries` of them with a total weight of up to `max_weight`."""

    def __init__(self, max_entries: int, max_weight: int) -> None:
        """Create an empty cache. Raises ValueError for limits below 1."""
        if max_entries < 1 or max_weight < 1:
            raise ValueError("`max_entries` and `max_weight` must be at least 1")
        self._max_entries = max_entries
        self._max_weight = max_weight
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self.weight = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: K) -> bool:
        """Return whether there is a value under `key`, which counts as no use of it."""
        return key in self._values

    def get(self, key: K) -> V | None:
        """Return the value under `key`, which becomes the most recently used, or None."""
        entry = self._values.get(key)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self._values.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Add `value`, and evict the least recently used ones while a limit is exceeded.

        A value heavier than the whole cache is not added: it would only empty the cache.
        """
        if weight > self._max_weight:
            return
        previous = self._values.pop(key, None)
        if previous is not None:
            self.weight -= previous[1]
        self._values[key] = (value, weight)
        self.weight += weight
        while len(self._values) > self._max_entries or self.weight > self._max_weight:
            _, (_, evicted) = self._values.popitem(last=False)
            self.weight -= evicted
