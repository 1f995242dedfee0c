"""How boards lie in Redis. This file and the two Lua scripts beside it are the only places that know.

For each board a sorted set and a hash, all under the category's hash tag:

    lb:{global}:meta                   epoch, ready, versions          one per category
    lb:{global}:DAILY:2026-11-20       member -> sort key              the order
    lb:{global}:DAILY:2026-11-20:m     user id -> reached_at, revision  where a user's member is, and how new

A member is 8 bytes of `reached_at` (big-endian microseconds) and the 16 bytes of the user id. Scores are stored
negated where the highest leads. Ascending order of (score, member) *is* board order, ties included, so a rank is one
ZRANK. Doubles hold every int32 score exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from app.domain.boards.board import Board
from app.domain.instants import from_micros, to_micros

RETENTION = timedelta(days=2)
"""How long a closed window stays in Redis; later it is read from PostgreSQL."""


@lru_cache(maxsize=1024)
def reached(at: datetime) -> bytes:
    """`reached_at` as it stands in a member. Rows that change together have it in common."""
    return to_micros(at).to_bytes(8, "big")


def join_member(reached_at: datetime, user_id: UUID) -> bytes:
    """The member of a user in the order."""
    return reached(reached_at) + user_id.bytes


def split_member(member: bytes) -> tuple[datetime, UUID]:
    """A member's `reached_at` and user id."""
    return from_micros(int.from_bytes(member[:8], "big")), UUID(bytes=member[8:24])


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of everything, under the installation's prefix."""

    prefix: str

    def meta(self, category: str) -> str:
        """The hash of a category's epoch and versions."""
        return f"{self.prefix}:{{{category}}}:meta"

    def order(self, board: Board) -> str:
        """The sorted set of a board."""
        return f"{self.prefix}:{{{board.category}}}:{board.window.key}"

    def members(self, board: Board) -> str:
        """The hash from user to member of a board."""
        return f"{self.order(board)}:m"

    def rebuild_lock(self, category: str) -> str:
        """Held by the process that loads the category."""
        return f"{self.prefix}:{{{category}}}:rebuild"


def ttl_seconds(board: Board, now: datetime) -> int:
    """In how many seconds a board leaves Redis, at least 1; 0 for never."""
    ends = board.window.ends_at
    return 0 if ends is None else max(1, int((ends + RETENTION - now).total_seconds()))


def is_evicted(board: Board, now: datetime) -> bool:
    """Whether the retention of a board is over: Redis need not be asked."""
    ends = board.window.ends_at
    return ends is not None and now >= ends + RETENTION
