"""A signal: connects the code that notices something with the code that reacts to it."""

from __future__ import annotations

from collections.abc import Callable

Listener = Callable[[], object]


class Signal:
    """Calls every connected listener.

    It exists before both sides, so that two objects which need each other can be created one after the other.
    """

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def connect(self, listener: Listener) -> None:
        """Call `listener` each time from now on."""
        self._listeners.append(listener)

    def __call__(self) -> None:
        """Call the listeners in the order in which they were connected."""
        for listener in self._listeners:
            listener()
