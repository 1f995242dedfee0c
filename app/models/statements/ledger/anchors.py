"""The statements about anchors: append one, read them all, and find the heads that the ledger has lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.anchors import Anchor
from app.domain.ledger.transactions import Head

ANCHORS = "SELECT number, heads, previous_hash, hash, created_at, thinned, kept_hash FROM ledger_anchors"
LAST_ANCHOR = text(f"{ANCHORS} ORDER BY number DESC LIMIT 1")
ANCHORS_PAGE = text(f"{ANCHORS} WHERE number > :after ORDER BY number LIMIT :limit")
HEADS_OF = text("SELECT user_id, seq, hash FROM ledger_anchor_heads WHERE anchor = :anchor ORDER BY user_id")

# A page of users; those whose head is anchored already are in it, so that the next page is known.
HEADS_PAGE = """
    SELECT u.id, u.ledger_seq, u.ledger_hash,
           EXISTS (SELECT FROM ledger_anchor_heads h WHERE h.user_id = u.id AND h.seq = u.ledger_seq) AS is_anchored
    FROM users u WHERE u.id > :after AND u.ledger_seq > 0 {moved} ORDER BY u.id LIMIT :limit
"""
HEADS_PAGE_OF_ALL_USERS = text(HEADS_PAGE.format(moved=""))
PAGE_SINCE = text(
    HEADS_PAGE.format(moved="AND u.id IN (SELECT user_id FROM score_transactions WHERE created_at >= :since)")
)

ADD = text(
    """
    INSERT INTO ledger_anchors (number, heads, previous_hash, hash, created_at)
    VALUES (:number, :heads, :previous_hash, :hash, :created_at)
    """
)
ADD_HEADS = text(
    """
    INSERT INTO ledger_anchor_heads (user_id, seq, hash, anchor)
    SELECT user_id, seq, hash, :anchor
    FROM unnest(CAST(:users AS uuid[]), CAST(:seqs AS bigint[]), CAST(:hashes AS bytea[])) AS h(user_id, seq, hash)
    """
)

# Which level an anchor has been thinned to is in the index, so that finding the next ones is cheap.
ANCHORS_TO_THIN = text(f"{ANCHORS} WHERE thinned = :below AND created_at < :before ORDER BY number LIMIT :limit")
# A head that is followed by another of the same user, before the end of the hour, day or month, proves nothing more.
DELETE_REPLACED_HEADS = text(
    """
    DELETE FROM ledger_anchor_heads h WHERE h.anchor = :number AND EXISTS (
        SELECT FROM ledger_anchor_heads l JOIN ledger_anchors b ON b.number = l.anchor
        WHERE l.user_id = h.user_id AND l.seq > h.seq AND b.created_at < :end
    )
    """
)
RECORD_THINNING = text("UPDATE ledger_anchors SET thinned = :level, kept_hash = :kept_hash WHERE number = :number")

ANCHORS_PER_PAGE = 1000

COUNT_HEADS = text("SELECT count(*) FROM ledger_anchor_heads")
# Chains only grow: what was the end of one is still in it, or somebody took it out.
LOST_HEADS = text(
    """
    SELECT h.user_id, h.seq, h.anchor, t.id, (SELECT max(seq) FROM score_transactions WHERE user_id = h.user_id) AS last
    FROM ledger_anchor_heads h LEFT JOIN score_transactions t ON t.user_id = h.user_id AND t.seq = h.seq
    WHERE t.hash IS DISTINCT FROM h.hash AND h.user_id > :after AND h.user_id <= :through
      AND NOT EXISTS (
          SELECT FROM archived_segments a
          WHERE a.user_id = h.user_id AND h.seq BETWEEN a.first_seq AND a.last_seq
            AND (h.seq < a.last_seq OR h.hash = a.last_hash)
      )
    ORDER BY h.user_id, h.seq LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True)
class HeadsPage:
    """A page of users in order of id: where it ends (None: it is the last), and the heads that have no anchor yet."""

    ends_at: UUID | None
    heads: list[tuple[UUID, Head]]


async def last_anchor(connection: AsyncConnection) -> Anchor | None:
    """Return the newest anchor, or None."""
    row = (await connection.execute(LAST_ANCHOR)).one_or_none()
    return None if row is None else _anchor(row)


async def read_heads(connection: AsyncConnection, after: UUID, since: datetime | None, limit: int) -> HeadsPage:
    """Return the heads of the next `limit` users after `after` that had a transaction `since` (None: of all)."""
    values: dict[str, Any] = {"after": after, "limit": limit}
    statement = HEADS_PAGE_OF_ALL_USERS if since is None else PAGE_SINCE
    rows = (await connection.execute(statement, values if since is None else values | {"since": since})).all()
    heads = [(row.id, Head(row.ledger_seq, row.ledger_hash)) for row in rows if not row.is_anchored]
    return HeadsPage(rows[-1].id if len(rows) == limit else None, heads)


async def add_anchor(connection: AsyncConnection, anchor: Anchor, heads: Sequence[tuple[UUID, Head]]) -> None:
    """Write an anchor down. IntegrityError says that somebody else took its number."""
    values = {
        "number": anchor.number,
        "heads": anchor.heads,
        "previous_hash": anchor.previous_hash,
        "hash": anchor.hash,
        "created_at": anchor.created_at,
    }
    await connection.execute(ADD, values)
    columns = {
        "anchor": anchor.number,
        "users": [user_id for user_id, _ in heads],
        "seqs": [head.seq for _, head in heads],
        "hashes": [head.hash for _, head in heads],
    }
    await connection.execute(ADD_HEADS, columns)


async def stream_anchors(connection: AsyncConnection) -> AsyncIterator[tuple[Anchor, list[tuple[UUID, Head]]]]:
    """Yield every anchor with its heads, in order."""
    after = 0
    while page := (await connection.execute(ANCHORS_PAGE, {"after": after, "limit": ANCHORS_PER_PAGE})).all():
        for row in page:
            heads = await connection.execute(HEADS_OF, {"anchor": row.number})
            yield _anchor(row), [(head.user_id, Head(head.seq, head.hash)) for head in heads]
        after = page[-1].number


async def count_heads(connection: AsyncConnection) -> int:
    """Return how many heads are anchored."""
    count: int = (await connection.execute(COUNT_HEADS)).scalar_one()
    return count


async def lost_heads(connection: AsyncConnection, after: UUID, through: UUID, limit: int) -> Sequence[Row[Any]]:
    """Return anchored heads of a range of users that the ledger and the archived segments do not have.

    If the ledger has the transaction, but with another hash, `id` is not None.
    """
    return (await connection.execute(LOST_HEADS, {"after": after, "through": through, "limit": limit})).all()


async def read_anchors_to_thin(
    connection: AsyncConnection, below: int, before: datetime, limit: int
) -> Sequence[Anchor]:
    """Return the oldest anchors that were made before a time and are thinned to exactly the level `below`."""
    values = {"below": below, "before": before, "limit": limit}
    return [_anchor(row) for row in await connection.execute(ANCHORS_TO_THIN, values)]


async def delete_replaced_heads(
    connection: AsyncConnection, number: int, end: datetime
) -> tuple[int, list[tuple[UUID, Head]]]:
    """Delete the heads of an anchor that later anchors from before `end` replace.

    Returns:
        How many were deleted, and the heads that are kept.
    """
    deleted = (await connection.execute(DELETE_REPLACED_HEADS, {"number": number, "end": end})).rowcount
    rows = await connection.execute(HEADS_OF, {"anchor": number})
    return deleted, [(row.user_id, Head(row.seq, row.hash)) for row in rows]


async def record_thinning(connection: AsyncConnection, number: int, level: int, kept_hash: bytes) -> None:
    """Record the level that an anchor is thinned to, and the hash of the heads that are kept."""
    await connection.execute(RECORD_THINNING, {"number": number, "level": level, "kept_hash": kept_hash})


def _anchor(row: Row[Any]) -> Anchor:
    return Anchor(row.number, row.heads, row.previous_hash, row.hash, row.created_at, row.kept_hash)
