"""A cache bounded twice: by the number of its entries and by their weight."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LRUCache(Generic[K, V]):
    """The entries used last, at most `entries` of them and together at most `weight` heavy."""

    def __init__(self, entries: int, weight: int) -> None:
        if entries < 1 or weight < 1:
            raise ValueError("A cache needs room for at least one entry")
        self._entries = entries
        self._weight = weight
        self._held: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self.weight = 0

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: K) -> V | None:
        """The value under `key`, which becomes the most recently used, or None."""
        held = self._held.get(key)
        if held is None:
            return None
        self._held.move_to_end(key)
        return held[0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Keep `value`, dropping the least recently used ones to make room.

        A value heavier than the whole cache is not kept: it would only empty it.
        """
        if weight > self._weight:
            return
        previous = self._held.pop(key, None)
        if previous is not None:
            self.weight -= previous[1]
        self._held[key] = (value, weight)
        self.weight += weight
        while len(self._held) > self._entries or self.weight > self._weight:
            _, (_, dropped) = self._held.popitem(last=False)
            self.weight -= dropped
