"""The versions of a board that were read."""

from __future__ import annotations

from app.domain.boards.board import Version

MAX_EPOCHS = 8


class VersionRegressed(Exception):
    """A store answered with an older version than before."""


class VersionTracker:
    """The highest version that was read in each of the latest epochs.

    Epochs can alternate (a fall-back to PostgreSQL and back), so one high-water mark would not suffice.
    """

    def __init__(self) -> None:
        self._highest: dict[str, int] = {}
        self._current: Version | None = None

    def admit(self, version: Version) -> bool:
        """Record that `version` was read; return False if a newer one of its epoch was read before."""
        if version.number < self._highest.get(version.epoch, version.number):
            return False
        self._highest.pop(version.epoch, None)
        self._highest[version.epoch] = version.number
        if len(self._highest) > MAX_EPOCHS:
            del self._highest[next(iter(self._highest))]
        self._current = version
        return True

    def covers(self, version: Version) -> bool:
        """Whether the last admitted version includes `version`."""
        current = self._current
        return current is not None and version.epoch == current.epoch and version.number <= current.number
