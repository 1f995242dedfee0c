"""The layout of boards in Redis. Only this module and the Lua scripts depend on it.

For each board a sorted set and two hashes, all under the category's hash tag:

    lb:{global}:meta                   the identity of the copies      one per category
    lb:{global}:DAILY:2026-11-20       member -> sort key              the order
    lb:{global}:DAILY:2026-11-20:m     user id -> reached_at, revision  to find a user's member
    lb:{global}:DAILY:2026-11-20:d     bucket -> digest                 to compare the board with PostgreSQL

The fields of `meta`:

    epoch, run, origin      the copies' identity: when they were loaded, into which run of the Redis server, and from
                            which PostgreSQL (its system identifier and timeline)
    ready                   they are loaded whole, so that they are read
    repaired                microseconds: they have everything that was committed before
    seen:<slot>             the newest transaction that was put in one interval of time
    v:<window>, t:<window>  version and time of the last change, in microseconds
    n:<window>              the numbers of visible and of all users; missing while nobody is on the board

A window without a field `n:` was never written to in this epoch: whatever keys it has are of another one.

A member is 8 bytes of `reached_at` (big-endian microseconds) and the 16 bytes of the user id. Scores are stored
negated where the highest leads. Ascending order of (score, member) *is* board order, ties included, so a rank is one
ZRANK. Doubles hold every score exactly.

A split category has all this once per shard, see `app/services/board_index/shards/layout.py`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from app.domain.boards.board import Board
from app.domain.catalogue.catalogue import Category
from app.domain.instants import from_micros, to_micros
from app.domain.ledger.posting import boards_for
from app.pubsub.channels.events import boards_channel

RETENTION = timedelta(days=2)
"""How long a closed window stays in Redis; after that it is read from PostgreSQL."""


@lru_cache(maxsize=1024)
def encode_reached_at(at: datetime) -> bytes:
    """Encode `reached_at` as in a member. Cached, because rows that change together share it."""
    return to_micros(at).to_bytes(8, "big")


def join_member(reached_at: datetime, user_id: UUID) -> bytes:
    """Return the member of a user in the sorted set."""
    return encode_reached_at(reached_at) + user_id.bytes


def split_member(member: bytes) -> tuple[datetime, UUID]:
    """Return the `reached_at` and the user id of a member."""
    return from_micros(int.from_bytes(member[:8], "big")), UUID(bytes=member[8:24])


class BoardKeys(NamedTuple):
    """The Redis keys and the channel of one board, and the end of its window (None for ALL_TIME)."""

    window: str
    meta: str
    order: str
    members: str
    digests: str
    channel: str
    ends_at: datetime | None


@lru_cache(maxsize=4096)
def board_keys(keys: Keys, board: Board) -> BoardKeys:
    """Return the keys of a board. Writes need them for every posting, so they are cached."""
    window, category = board.window, board.category
    return BoardKeys(
        window.key,
        keys.meta(category),
        keys.order(board),
        keys.members(board),
        keys.digests(board),
        keys.channel(category),
        window.ends_at,
    )


class Keys(NamedTuple):
    """The names of all keys and channels of boards, under the prefix of the installation."""

    prefix: str

    def meta(self, category: str) -> str:
        """Return the key of the hash with a category's epoch and versions."""
        return f"{self.prefix}:{{{category}}}:meta"

    def order(self, board: Board) -> str:
        """Return the key of the sorted set of a board."""
        return f"{self.prefix}:{{{board.category}}}:{board.window.key}"

    def members(self, board: Board) -> str:
        """Return the key of the hash from user to member of a board."""
        return f"{self.order(board)}:m"

    def digests(self, board: Board) -> str:
        """Return the key of the hash from bucket to digest of a board."""
        return f"{self.order(board)}:d"

    def channel(self, category: str) -> str:
        """Return the name of the channel on which the category's changes are published."""
        return f"{self.prefix}:{boards_channel(category)}"

    def probe(self, category: str) -> str:
        """Return the key that is written to find out whether writes are accepted, next to the category's boards."""
        return f"{self.prefix}:{{{category}}}:probe"

    def rebuild_lock(self, category: str) -> str:
        """Return the key of the lock of the process that loads a category."""
        return f"{self.prefix}:{{{category}}}:rebuild"


def windows_in_index(category: Category, now: datetime) -> list[Board]:
    """Return the boards of a category that Redis may have: the open ones, then those that ended within `RETENTION`."""
    instants = [now - timedelta(days=days) for days in range(RETENTION.days + 1)]
    return list(dict.fromkeys(board for instant in instants for board in boards_for(category, instant)))


def is_evicted(board: Board, now: datetime) -> bool:
    """Whether the retention of a board is over, so that Redis does not have it."""
    ends = board.window.ends_at
    return ends is not None and now >= ends + RETENTION


def window_epoch(epoch: str, board: Board) -> str:
    """Return the epoch of one board, in which its versions never decrease: each window counts its own from 0."""
    return f"{epoch}/{board.window.key}"


def category_epoch(epoch: str) -> str:
    """Return the epoch of the category that the epoch of a board belongs to."""
    return epoch.split("/")[0]


def window_of_field(field: str) -> str | None:
    """Return the window that a field of the `meta` hash is about (version, time, sizes); None for others."""
    return field[2:] if field[:2] in ("v:", "t:", "n:") else None
