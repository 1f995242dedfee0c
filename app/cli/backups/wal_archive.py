"""The archive of the write-ahead log: which files it has, and which a restore would need and not find.

A file is named by its timeline and its number: https://www.postgresql.org/docs/current/wal-internals.html. A history
file names the timelines that another one descends from, and the positions at which it left them.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from app.cli.terminal.errors import CommandError

_SEGMENT = re.compile(r"(?P<timeline>[0-9A-F]{8})(?P<log>[0-9A-F]{8})(?P<segment>[0-9A-F]{8})(?P<suffix>\..+)?\.gz")
_HISTORY = re.compile(r"(?P<timeline>[0-9A-F]{8})\.history\.gz")
_ANCESTOR = re.compile(r"^\s*(?P<timeline>\d+)\s+(?P<high>[0-9A-Fa-f]+)/(?P<low>[0-9A-Fa-f]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Position:
    """A position in the write-ahead log: the timeline, and the byte on it (an LSN)."""

    timeline: int
    byte: int


def parse_lsn(text: str) -> int:
    """Return the number of an LSN as PostgreSQL prints it, such as `0/2000028`."""
    high, _, low = text.partition("/")
    return int(high, 16) << 32 | int(low, 16)


class WalArchive:
    """The folder that `archive_command` writes to, as it was when this object first read it.

    Args:
        folder: The folder. It may be missing.
        segment_bytes: The size of a file of the write-ahead log.
    """

    def __init__(self, folder: Path, segment_bytes: int) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segments_per_log = 2**32 // segment_bytes

    def segment_of(self, byte: int) -> int:
        """Return the number of the segment that has a byte."""
        return byte // self._segment_bytes

    def name_of(self, timeline: int, segment: int) -> str:
        """Return the name that PostgreSQL gives to a segment."""
        log, number = divmod(segment, self._segments_per_log)
        return f"{timeline:08X}{log:08X}{number:08X}"

    def has(self, timeline: int, segment: int) -> bool:
        """Return whether a segment is in the folder now."""
        return (self._folder / f"{self.name_of(timeline, segment)}.gz").exists()

    def newest_descendant(self, end: Position) -> int:
        """Return the newest timeline that has everything up to `end`: its own one, or one that left it later."""
        return max(timeline for timeline in (end.timeline, *self._ancestors) if self.contains(timeline, end))

    def contains(self, timeline: int, end: Position) -> bool:
        """Return whether recovery along a timeline passes `end`."""
        left_at = dict(self._ancestors.get(timeline, ()))
        return timeline == end.timeline or left_at.get(end.timeline, -1) >= end.byte

    def missing(self, end: Position, timeline: int) -> list[str]:
        """Return the names of the files that recovery from `end` along a timeline needs and the archive lacks.

        What was written after the newest archived file is not in the archive, and is not counted.
        """
        first = self.segment_of(end.byte - 1) + 1
        newest = self._newest(timeline)
        needed = ((self._owner(timeline, segment), segment) for segment in range(first, (newest or 0) + 1))
        return [self.name_of(*each) for each in needed if each not in self._segments]

    def ends_at(self, timeline: int) -> datetime | None:
        """Return when the newest file of a timeline was archived: no later commit is in the archive."""
        newest = self._newest(timeline)
        if newest is None:
            return None
        file = self._folder / f"{self.name_of(self._owner(timeline, newest), newest)}.gz"
        return datetime.fromtimestamp(file.stat().st_mtime, UTC)

    def files_before(self, segment: int) -> Iterator[Path]:
        """Yield the files of all timelines, except histories, with a lower number than `segment`."""
        for path in self._folder.glob("*.gz"):
            if (match := _SEGMENT.fullmatch(path.name)) and self._number(match) < segment:
                yield path

    @cached_property
    def _segments(self) -> set[tuple[int, int]]:
        """The timeline and number of each complete segment."""
        matches = (_SEGMENT.fullmatch(path.name) for path in self._folder.glob("*.gz"))
        return {(int(match["timeline"], 16), self._number(match)) for match in matches if match and not match["suffix"]}

    @cached_property
    def _ancestors(self) -> dict[int, list[tuple[int, int]]]:
        """For each timeline with a history: the timelines before it, and the byte at which it left each."""
        found = {}
        for path in self._folder.glob("*.history.gz"):
            if match := _HISTORY.fullmatch(path.name):
                found[int(match["timeline"], 16)] = [
                    (int(line["timeline"]), int(line["high"], 16) << 32 | int(line["low"], 16))
                    for line in _ANCESTOR.finditer(_read(path))
                ]
        return found

    def _newest(self, timeline: int) -> int | None:
        """Return the highest number on a timeline or, before it has files of its own, on those it descends from."""
        own = [segment for of, segment in self._segments if of == timeline]
        if own:
            return max(own)
        owned = [segment for of, segment in self._segments if self._owner(timeline, segment) == of]
        return max(owned, default=None)

    def _owner(self, timeline: int, segment: int) -> int:
        """Return the timeline whose file recovery along `timeline` reads for a segment."""
        for ancestor, byte in self._ancestors.get(timeline, ()):
            if segment < self.segment_of(byte):
                return ancestor
        return timeline

    def _number(self, match: re.Match[str]) -> int:
        return int(match["log"], 16) * self._segments_per_log + int(match["segment"], 16)


def _read(path: Path) -> str:
    try:
        return gzip.decompress(path.read_bytes()).decode(errors="replace")
    except (OSError, EOFError, zlib.error) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
