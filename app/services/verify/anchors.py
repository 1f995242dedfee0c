"""The check of the anchors: what was once the end of a chain must still be in it."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.anchors import anchor_hash
from app.models.statements.ledger.anchors import count_heads, lost_heads, stream_anchors
from app.models.statements.verify.invariants import MOST_NAMED
from app.services.verify.findings import Finding, Progress


async def check_anchors(connection: AsyncConnection, progress: Progress) -> Finding:
    """Check the chain of anchors, and every chain against them, within the transaction of `connection`."""
    finding = Finding("anchors", "the anchors are gapless and unaltered, and the chains still hold what was anchored")
    total = await count_heads(connection)
    number, previous_hash = 0, b""
    async for anchor, heads in stream_anchors(connection):
        where = f"anchor {anchor.number}"
        if anchor.number != number + 1:
            finding.breach(f"{where}: the one before it is {number}, so some are missing")
        elif anchor.previous_hash != previous_hash:
            finding.breach(f"{where}: it does not continue the one before it")
        if anchor_hash(anchor.number, anchor.previous_hash, anchor.created_at, heads) != anchor.hash:
            finding.breach(f"{where}: its content does not match its hash ({len(heads)} of {anchor.heads} heads)")
        number, previous_hash = anchor.number, anchor.hash
        finding.checked += len(heads)
        progress("anchors", finding.checked, total)
    for lost in await lost_heads(connection, MOST_NAMED):
        where = f"user {lost.user_id}, transaction {lost.seq}"
        if lost.id is not None:
            finding.breach(f"{where} ({lost.id}): it is not the one that anchor {lost.anchor} saw")
        else:
            finding.breach(f"{where}: anchor {lost.anchor} saw it, but the chain ends with {lost.last or 'nothing'}")
    progress("anchors", total, total)
    return finding
