"""How far a reader of one board has come."""

from __future__ import annotations

from app.domain.boards.board import Version

MAX_EPOCHS = 8


class VersionTracker:
    """The highest version seen in each of the latest epochs.

    Epochs can alternate (a fall-back to PostgreSQL and back), so one high-water mark would not do.
    """

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._current: Version | None = None

    def admit(self, version: Version) -> bool:
        """Takes note of `version`; False when a newer one of its epoch was seen before."""
        if version.number < self._seen.get(version.epoch, version.number):
            return False
        self._seen.pop(version.epoch, None)
        self._seen[version.epoch] = version.number
        if len(self._seen) > MAX_EPOCHS:
            del self._seen[next(iter(self._seen))]
        self._current = version
        return True

    def covers(self, version: Version) -> bool:
        """Whether what was admitted last includes `version`."""
        current = self._current
        return current is not None and version.epoch == current.epoch and version.number <= current.number
