"""The check of the chains: every hash is computed anew, from what is stored."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.transactions import Head
from app.models.statements.verify.invariants import count_transactions, stream_chains, transaction_of
from app.services.verify.check_result import CheckResult, Progress

EVERY = 1000
"""How many transactions pass between two reports of progress."""


async def check_chains(connection: AsyncConnection, progress: Progress) -> CheckResult:
    """Check every user's chain as of one moment, within the transaction of `connection`."""
    result = CheckResult("chains", "a user's transactions are gapless, unaltered, and end where the user's row says")
    total = await count_transactions(connection)
    chain: _Chain | None = None
    async for row in stream_chains(connection):
        if chain is None or chain.owner != row.owner:
            if chain is not None:
                chain.end(result)
            chain = _Chain(row)
        if row.id is not None:
            chain.add(row, result)
            result.checked += 1
            if result.checked % EVERY == 0:
                progress("chains", result.checked, total)
    if chain is not None:
        chain.end(result)
    progress("chains", total, total)
    return result


class _Chain:
    """One user's chain, as far as it has been read. After a breach the rest is compared with what is stored."""

    def __init__(self, row: Row[Any]) -> None:
        self.owner: UUID = row.owner
        self._promised = Head(row.ledger_seq, row.ledger_hash)
        self._head = Head()
        self._scores: dict[str | None, int] = {}

    def add(self, row: Row[Any], result: CheckResult) -> None:
        """Check the next transaction against the ones before it, and against its own hash."""
        where = f"user {self.owner}, transaction {row.seq} ({row.id})"
        if row.seq != self._head.seq + 1:
            result.add_violation(f"{where}: the one before it is {self._head.seq}, so some are missing")
        elif row.previous_hash != self._head.hash:
            result.add_violation(f"{where}: it does not continue the one before it")
        if _hash_of(row) != row.hash:
            result.add_violation(f"{where}: its content does not match its hash")
        if row.category_id is not None:
            before = self._scores.get(row.category_id, 0)
            if row.score != before + row.delta:
                result.add_violation(f"{where}: {before} and {row.delta:+} do not make {row.score}")
            self._scores[row.category_id] = row.score
        self._head = Head(row.seq, row.hash)

    def end(self, result: CheckResult) -> None:
        """Check that the user's row knows the last transaction."""
        if self._head != self._promised:
            result.add_violation(
                f"user {self.owner}: the row says that the chain ends with {_name(self._promised)}, "
                f"it ends with {_name(self._head)}"
            )


def _hash_of(row: Row[Any]) -> bytes | None:
    try:
        return transaction_of(row).hash
    except ValueError:  # A kind that no version of the program has written.
        return None


def _name(head: Head) -> str:
    return f"{head.seq} ({head.hash.hex()[:12] or 'nothing'})"
