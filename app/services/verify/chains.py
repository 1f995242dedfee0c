"""The check of the chains: every hash is computed again from the stored row."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.ledger.commitments import commit
from app.domain.ledger.transactions import Head
from app.models.statements.verify.invariants import UserRange, stream_chains, transaction_of
from app.services.verify.check_result import CheckResult


def chains_result() -> CheckResult:
    """Return a result without rows."""
    return CheckResult(
        "chains", "every user's transactions are without gaps and unaltered, and end with the head in the user's row"
    )


async def check_chains(connection: AsyncConnection, users: UserRange) -> CheckResult:
    """Check the chain of every user of a range, within the transaction of `connection`."""
    result = chains_result()
    chain: _Chain | None = None
    async for row in stream_chains(connection, users):
        if chain is None or chain.owner != row.owner:
            if chain is not None:
                chain.end(result)
            chain = _Chain(row)
        if row.archived_from is not None:
            chain.skip(row, result)
        elif row.id is not None:
            chain.add(row, result)
            result.checked += 1
    if chain is not None:
        chain.end(result)
    return result


class _Chain:
    """The chain of one user, as far as it was read. After a violation the check goes on from the stored values."""

    def __init__(self, row: Row[Any]) -> None:
        self.owner: UUID = row.owner
        self._expected_head = Head(row.ledger_seq, row.ledger_hash)
        self._is_deleted = row.deleted_at is not None
        self._head = Head()
        self._scores: dict[str | None, int] = {}
        self._is_partly_archived = False

    def add(self, row: Row[Any], result: CheckResult) -> None:
        """Check the next transaction against the ones before it, and against its own hash."""
        where = f"user {self.owner}, transaction {row.seq} ({row.id})"
        self._check_position(where, row.seq, row, result)
        if _hash_of(row) != row.hash:
            result.add_violation(f"{where}: its content does not match its hash")
        for field in _wrong_details(row, is_deleted=self._is_deleted):
            result.add_violation(f"{where}: its {field} does not match the commitment in its hash")
        if row.category_id is not None:
            # The score after archived transactions is not known here; the check of the sums includes them.
            before = self._scores.get(row.category_id, row.score - row.delta if self._is_partly_archived else 0)
            if row.score != before + row.delta:
                result.add_violation(f"{where}: the score is {row.score}, but must be {before} {row.delta:+}")
            self._scores[row.category_id] = row.score
        self._head = Head(row.seq, row.hash)

    def skip(self, row: Row[Any], result: CheckResult) -> None:
        """Check that a segment in archive files continues the chain."""
        where = f"user {self.owner}, archived transactions {row.archived_from} to {row.seq}"
        self._check_position(where, row.archived_from, row, result)
        self._head = Head(row.seq, row.hash)
        self._scores.clear()
        self._is_partly_archived = True

    def end(self, result: CheckResult) -> None:
        """Check that the head in the user's row is the last transaction."""
        if self._head != self._expected_head:
            result.add_violation(
                f"user {self.owner}: the chain must end with {_describe(self._expected_head)}, "
                f"but ends with {_describe(self._head)}"
            )

    def _check_position(self, where: str, first_seq: int, row: Row[Any], result: CheckResult) -> None:
        if first_seq != self._head.seq + 1:
            result.add_violation(f"{where}: the transaction before it is {self._head.seq}, so transactions are missing")
        elif row.previous_hash != self._head.hash:
            result.add_violation(f"{where}: its previous hash is not the hash of the transaction before it")


def _hash_of(row: Row[Any]) -> bytes | None:
    try:
        return transaction_of(row).hash
    except ValueError:  # A kind that does not exist.
        return None


def _wrong_details(row: Row[Any], *, is_deleted: bool) -> list[str]:
    """Return the names of personal data that the hash does not commit to.

    An address and a user agent may have been erased, and a reason together with its user.
    """
    wrong = []
    if row.salt is not None:
        if commit(row.salt, "address", row.address) != row.address_commitment:
            wrong.append("address")
        if commit(row.salt, "user_agent", row.user_agent) != row.user_agent_commitment:
            wrong.append("user agent")
    if row.reason is None:
        if row.reason_commitment is not None and not is_deleted:
            wrong.append("reason")
    elif row.reason_salt is None or commit(row.reason_salt, "reason", row.reason) != row.reason_commitment:
        wrong.append("reason")
    return wrong


def _describe(head: Head) -> str:
    return f"{head.seq} ({head.hash.hex()[:12] or 'no hash'})"
