"""The check of the anchors: every head that was anchored must still be in its chain."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.anchors import anchor_hash
from app.models.statements.ledger.anchors import count_heads, lost_heads, stream_anchors
from app.models.statements.verify.invariants import MAX_LISTED_VIOLATIONS, UserRange
from app.services.verify.check_result import CheckResult, Progress


async def check_anchors(connection: AsyncConnection, users: Sequence[UserRange], progress: Progress) -> CheckResult:
    """Check the chain of anchors, and the users' chains against the anchors, within the transaction of `connection`."""
    result = CheckResult(
        "anchors", "anchors are without gaps and unaltered, and all anchored heads are still in their chains"
    )
    total = await count_heads(connection)
    number, previous_hash = 0, b""
    async for anchor, heads in stream_anchors(connection):
        where = f"anchor {anchor.number}"
        if anchor.number != number + 1:
            result.add_violation(f"{where}: the anchor before it is {number}, so anchors are missing")
        elif anchor.previous_hash != previous_hash:
            result.add_violation(f"{where}: its previous hash is not the hash of the anchor before it")
        expected_hash = anchor.hash if anchor.kept_hash is None else anchor.kept_hash
        if anchor_hash(anchor.number, anchor.previous_hash, anchor.created_at, heads) != expected_hash:
            result.add_violation(f"{where}: its content does not match its hash ({len(heads)} of {anchor.heads} heads)")
        number, previous_hash = anchor.number, anchor.hash
        result.checked += len(heads)
        progress("anchors", result.checked, total)
    for part in users:
        await _check_heads(connection, part, result)
    progress("anchors", total, total)
    return result


async def _check_heads(connection: AsyncConnection, users: UserRange, result: CheckResult) -> None:
    for lost in await lost_heads(connection, users.after, users.through, MAX_LISTED_VIOLATIONS):
        where = f"user {lost.user_id}, transaction {lost.seq}"
        if lost.id is not None:
            result.add_violation(f"{where} ({lost.id}): it differs from the transaction in anchor {lost.anchor}")
        else:
            result.add_violation(
                f"{where}: it is in anchor {lost.anchor}, but the chain ends with {lost.last or 'no transaction'}"
            )
