"""Anchors: a chain over the heads of all chains.

The chain of one user cannot show that its last transactions were removed, together with the head in the user's row. An
anchor can: it holds the heads that moved since the anchor before, under a hash that covers the hash of that anchor. The
hash is also written to the log, which a change of the database does not reach.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.instants import to_micros
from app.domain.ledger.transactions import Head


@dataclass(frozen=True, slots=True)
class Anchor:
    """An anchor without the heads that its `hash` covers. Numbers begin with 1 and have no gaps.

    Once heads that later anchors replace were deleted, `kept_hash` covers those that are kept.
    """

    number: int
    heads: int
    previous_hash: bytes
    hash: bytes
    created_at: datetime
    kept_hash: bytes | None = None


def anchor_hash(number: int, previous_hash: bytes, created_at: datetime, heads: Iterable[tuple[UUID, Head]]) -> bytes:
    """Return the SHA-256 over an anchor's number, time and predecessor, and the heads in order of user id."""
    digest = hashlib.sha256(previous_hash)
    digest.update(number.to_bytes(8, "big"))
    digest.update(to_micros(created_at).to_bytes(8, "big"))
    for user_id, head in heads:
        digest.update(user_id.bytes)
        digest.update(head.seq.to_bytes(8, "big"))
        digest.update(head.hash)
    return digest.digest()
