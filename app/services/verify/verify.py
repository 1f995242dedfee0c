"""The use case: all checks in sequence."""

from __future__ import annotations

from app.models.statements.verify.invariants import INVARIANTS, check_invariant
from app.services.verify.anchors import check_anchors
from app.services.verify.boards import CheckBoards
from app.services.verify.chains import check_chains
from app.services.verify.check_result import CheckResult, Progress
from app.stores.postgres import Database


class Verify:
    """Checks the invariants of the data. Nothing is changed, and the service may run meanwhile."""

    def __init__(self, database: Database, boards: CheckBoards, *, cap: int) -> None:
        """Create the use case.

        Args:
            database: The database; the timeout of statements must allow for long ones.
            boards: The check of the boards in Redis.
            cap: The highest score cap of any category.
        """
        self._database = database
        self._boards = boards
        self._cap = cap

    async def run(self, progress: Progress) -> list[CheckResult]:
        """Run all checks. It is a violation if Redis does not answer.

        Raises:
            ServiceUnavailable: PostgreSQL does not answer.
        """
        results = await self._check_invariants(progress)
        async with self._database.snapshot() as connection:
            results.append(await check_chains(connection, progress))
            results.append(await check_anchors(connection, progress))
        results.append(await self._boards.run(progress))
        return results

    async def _check_invariants(self, progress: Progress) -> list[CheckResult]:
        results = []
        async with self._database.snapshot() as connection:
            for done, invariant in enumerate(INVARIANTS):
                progress("rows", done, len(INVARIANTS))
                size, violations = await check_invariant(connection, invariant, self._cap)
                results.append(CheckResult(invariant.name, invariant.description, size, violations))
        progress("rows", len(INVARIANTS), len(INVARIANTS))
        return results
