"""Digests: sums by which two copies of a board are compared without reading their rows.

The users of a board are divided into buckets by the last two bytes of their ids. The digest of a bucket is the sum of
the digests of its rows, and the digest of a row is

    (weight of the user + 1) * (revision mod 2^24 + 1) mod 2^32

where the weight is the number in bytes 11 to 13 of the id. A row that is missing or has an older revision therefore
changes the digest of its bucket. The same is computed by `copy.lua` in Redis and by SQL in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

BUCKETS = 1024


def bucket_of(user_id: UUID) -> int:
    """Return the bucket of a user."""
    return int.from_bytes(user_id.bytes[14:16], "big") % BUCKETS


def row_digest(user_id: UUID, revision: int) -> int:
    """Return the digest of a row."""
    weight = int.from_bytes(user_id.bytes[10:13], "big")
    return (weight + 1) * (revision % 2**24 + 1) % 2**32


@dataclass(frozen=True, slots=True)
class BoardDigests:
    """The digests of a board by bucket; buckets without users may be missing, or 0."""

    by_bucket: Mapping[int, int]

    @property
    def total(self) -> int:
        """The sum of all digests."""
        return sum(self.by_bucket.values())

    def differing(self, other: BoardDigests) -> frozenset[int]:
        """Return the buckets in which two copies differ."""
        return frozenset(
            bucket
            for bucket in self.by_bucket.keys() | other.by_bucket.keys()
            if self.by_bucket.get(bucket, 0) != other.by_bucket.get(bucket, 0)
        )
