"""The check of the chains: every hash is computed again from the stored row."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.transactions import Head
from app.models.statements.verify.invariants import count_transactions, stream_chains, transaction_of
from app.services.verify.check_result import CheckResult, Progress

PROGRESS_INTERVAL = 1000
"""Transactions between two reports of progress."""


async def check_chains(connection: AsyncConnection, progress: Progress) -> CheckResult:
    """Check every user's chain, within the transaction of `connection`."""
    result = CheckResult(
        "chains", "every user's transactions are without gaps and unaltered, and end with the head in the user's row"
    )
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
            if result.checked % PROGRESS_INTERVAL == 0:
                progress("chains", result.checked, total)
    if chain is not None:
        chain.end(result)
    progress("chains", total, total)
    return result


class _Chain:
    """The chain of one user, as far as it was read. After a violation the check goes on from the stored values."""

    def __init__(self, row: Row[Any]) -> None:
        self.owner: UUID = row.owner
        self._expected_head = Head(row.ledger_seq, row.ledger_hash)
        self._head = Head()
        self._scores: dict[str | None, int] = {}

    def add(self, row: Row[Any], result: CheckResult) -> None:
        """Check the next transaction against the ones before it, and against its own hash."""
        where = f"user {self.owner}, transaction {row.seq} ({row.id})"
        if row.seq != self._head.seq + 1:
            result.add_violation(f"{where}: the transaction before it is {self._head.seq}, so transactions are missing")
        elif row.previous_hash != self._head.hash:
            result.add_violation(f"{where}: its previous hash is not the hash of the transaction before it")
        if _hash_of(row) != row.hash:
            result.add_violation(f"{where}: its content does not match its hash")
        if row.category_id is not None:
            before = self._scores.get(row.category_id, 0)
            if row.score != before + row.delta:
                result.add_violation(f"{where}: the score is {row.score}, but must be {before} {row.delta:+}")
            self._scores[row.category_id] = row.score
        self._head = Head(row.seq, row.hash)

    def end(self, result: CheckResult) -> None:
        """Check that the head in the user's row is the last transaction."""
        if self._head != self._expected_head:
            result.add_violation(
                f"user {self.owner}: the chain must end with {_describe(self._expected_head)}, "
                f"but ends with {_describe(self._head)}"
            )


def _hash_of(row: Row[Any]) -> bytes | None:
    try:
        return transaction_of(row).hash
    except ValueError:  # A kind that does not exist.
        return None


def _describe(head: Head) -> str:
    return f"{head.seq} ({head.hash.hex()[:12] or 'no hash'})"
