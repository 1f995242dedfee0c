"""The use case: all checks, one after the other."""

from __future__ import annotations

from app.models.statements.verify.invariants import INVARIANTS, examine
from app.services.verify.anchors import check_anchors
from app.services.verify.boards import CheckBoards
from app.services.verify.chains import check_chains
from app.services.verify.check_result import CheckResult, Progress
from app.stores.postgres import Database


class Verify:
    """Checks what is promised about the data. It changes nothing, and may run while the service works."""

    def __init__(self, database: Database, boards: CheckBoards, *, cap: int) -> None:
        """`cap` is the highest score that any category allows."""
        self._database = database
        self._boards = boards
        self._cap = cap

    async def run(self, progress: Progress) -> list[CheckResult]:
        """Check everything. Raises ServiceUnavailable when PostgreSQL does not answer; Redis not answering is a breach.

        Statements over a large ledger take long: `database` should allow for it.
        """
        results = await self._statements(progress)
        async with self._database.snapshot() as connection:
            results.append(await check_chains(connection, progress))
            results.append(await check_anchors(connection, progress))
        results.append(await self._boards.run(progress))
        return results

    async def _statements(self, progress: Progress) -> list[CheckResult]:
        results = []
        async with self._database.snapshot() as connection:
            for done, invariant in enumerate(INVARIANTS):
                progress("rows", done, len(INVARIANTS))
                size, violations = await examine(connection, invariant, self._cap)
                results.append(CheckResult(invariant.name, invariant.promise, size, violations))
        progress("rows", len(INVARIANTS), len(INVARIANTS))
        return results
