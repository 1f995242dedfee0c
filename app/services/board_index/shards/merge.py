"""Merge what the shards of a board have around a position into rows of the whole board. Pure functions.

Every shard returns up to `below` rows that precede the position and up to `after` rows from it on (`shard_views.lua`).
The nearest rows of the whole board are among them, so merging what all shards return gives these rows, as of the
moments at which the shards were read.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

START = b"start"
END = b"end"
"""The positions before the first entry and after the last."""

Key = tuple[int, bytes]
"""Sort key and member: tuples of them are in board order."""


@dataclass(frozen=True, slots=True)
class ShardRows:
    """Rows of one shard around a position.

    Attributes:
        before: How many entries of the shard precede the position.
        better: How many have a better score than the position has.
        through: How many have a score that is no worse.
        above_first: How many have a better score than the first of `rows`.
        through_last: How many have a score that is no worse than that of the last of `rows`.
        below: How many of `rows` precede the position.
        rows: The rows in board order.
    """

    before: int
    better: int
    through: int
    above_first: int
    through_last: int
    below: int
    rows: Sequence[Key]

    @staticmethod
    def of(raw: Sequence[Any]) -> ShardRows:
        """Decode an answer to "rows" of `shard_views.lua`."""
        before, better, through, above_first, through_last, below, *flat = raw
        rows = [(int(flat[i + 1]), flat[i]) for i in range(0, len(flat), 2)]
        return ShardRows(before, better, through, above_first, through_last, below, rows)

    def count_better(self, sort_key: int, of_position: int | None) -> int:
        """Count the entries of the shard with a better score than a row that the merge has.

        Args:
            sort_key: The sort key of the row.
            of_position: That of the position; None for `START` and `END`.
        """
        if sort_key == of_position:
            return self.better
        index = bisect_left(self.rows, sort_key, key=_sort_key)
        if index == 0 and self.rows and self.rows[0][0] == sort_key:
            return self.above_first
        return self.before - self.below + index

    def count_through(self, sort_key: int, of_position: int | None) -> int:
        """Count the entries of the shard whose score is no worse than that of a row that the merge has."""
        if sort_key == of_position:
            return self.through
        index = bisect_right(self.rows, sort_key, key=_sort_key)
        if index == len(self.rows) and self.rows and self.rows[-1][0] == sort_key:
            return self.through_last
        return self.before - self.below + index


@dataclass(frozen=True, slots=True)
class MergedRows:
    """Rows of the whole board around a position.

    Attributes:
        position: The position.
        before: How many entries precede the position.
        first: The 0-based offset of the first of `rows`.
        rows: The rows in board order, without gaps.
        shards: What the shards have returned.
    """

    position: bytes
    before: int
    first: int
    rows: Sequence[Key]
    shards: Sequence[ShardRows]

    @property
    def is_taken(self) -> bool:
        """Whether an entry has exactly this position."""
        index = self.before - self.first
        return index < len(self.rows) and self.rows[index] == split_position(self.position)

    def view(self, offset: int, limit: int, total: int) -> list[Any] | None:
        """Return up to `limit` rows from `offset` on as `views.lua` does; None if some of them were not read."""
        if limit <= 0 or offset >= total:
            return [offset, 0, 0]
        start, stop = offset - self.first, min(offset + limit, total) - self.first
        if start < 0 or stop > len(self.rows):
            return None
        rows = self.rows[start:stop]
        at_edge = self.position in (START, END)
        of_position = None if at_edge else split_position(self.position)[0]
        above = sum(shard.count_better(rows[0][0], of_position) for shard in self.shards)
        through = sum(shard.count_through(rows[-1][0], of_position) for shard in self.shards)
        return [offset, above, through, *(value for sort_key, member in rows for value in (member, sort_key))]


def merge_rows(position: bytes, below: int, after: int, shards: Sequence[ShardRows]) -> MergedRows:
    """Merge the rows of all shards around a position, of which each was asked for `below` and `after`."""
    preceding = sorted(row for shard in shards for row in shard.rows[: shard.below])
    following = sorted(row for shard in shards for row in shard.rows[shard.below :])
    preceding = preceding[max(0, len(preceding) - below) :]
    before = sum(shard.before for shard in shards)
    return MergedRows(position, before, before - len(preceding), preceding + following[:after], shards)


def split_position(position: bytes) -> Key:
    """Return sort key and member of a position in board order."""
    return int(position[24:]), position[:24]


def read_position(row: Sequence[Any]) -> bytes | None:
    """Return the position of a row as `shard_views.lua` returns it; None for no row."""
    return row[0] + str(int(row[1])).encode() if row else None


def _sort_key(row: Key) -> int:
    return row[0]
