"""The use case: all checks of all data, a bounded part at a time, a few parts at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from app.models.statements.verify.invariants import (
    INVARIANTS,
    Invariant,
    UserRange,
    check_invariant,
    count_in_default,
    ranges_of,
    read_user_ranges,
)
from app.services.verify.anchors import check_anchors
from app.services.verify.boards import CheckBoards
from app.services.verify.chains import chains_result, check_chains
from app.services.verify.check_result import CheckResult, Progress
from app.stores.postgres import Database

MAX_CONNECTIONS = 4
"""Parts that are checked at the same time, each on a connection of its own."""


class Verify:
    """Checks the invariants of the data. Nothing is changed, and the service may run meanwhile.

    The data are checked by ranges of users. Each range is read in a snapshot of its own, so that no snapshot is old
    enough to keep PostgreSQL from removing dead rows.
    """

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
        async with self._database.connect() as connection:
            users = await read_user_ranges(connection)
        results = await self._check_invariants(users, progress)
        results.append(await self._check_chains(users, progress))
        async with self._database.snapshot() as connection:
            results.append(await check_anchors(connection, users, progress))
        results.append(await self._check_partitions())
        results.append(await self._boards.run(progress))
        return results

    async def _check_invariants(self, users: list[UserRange], progress: Progress) -> list[CheckResult]:
        results: dict[str, CheckResult] = {}
        parts = [(invariant, bounds) for invariant in INVARIANTS for bounds in ranges_of(invariant, users)]

        def check(invariant: Invariant, bounds: dict[str, object]) -> Callable[[], Awaitable[CheckResult]]:
            async def run() -> CheckResult:
                async with self._database.snapshot() as connection:
                    size, violations = await check_invariant(connection, invariant, bounds, self._cap)
                return CheckResult(invariant.name, invariant.description, size, violations)

            return run

        for result in await _run_all([check(*part) for part in parts], "rows", progress):
            results.setdefault(result.name, CheckResult(result.name, result.invariant)).add(result)
        return list(results.values())

    async def _check_chains(self, users: list[UserRange], progress: Progress) -> CheckResult:
        def check(part: UserRange) -> Callable[[], Awaitable[CheckResult]]:
            async def run() -> CheckResult:
                async with self._database.snapshot() as connection:
                    return await check_chains(connection, part)

            return run

        total = chains_result()
        for result in await _run_all([check(part) for part in users], "chains", progress):
            total.add(result)
        return total

    async def _check_partitions(self) -> CheckResult:
        result = CheckResult("partitions", "every transaction is in the partition of its month")
        async with self._database.connect() as connection:
            result.checked = await count_in_default(connection)
        if result.checked:
            result.add_violation(
                f"{result.checked} transactions are in the default partition: run `leaderboard jobs run partitions`"
            )
        return result


async def _run_all(
    parts: Sequence[Callable[[], Awaitable[CheckResult]]], stage: str, progress: Progress
) -> Iterable[CheckResult]:
    """Return the results of `parts` in order, a few of which run at the same time."""
    upcoming = iter(enumerate(parts))
    results: dict[int, CheckResult] = {}

    async def work() -> None:
        for index, part in upcoming:
            results[index] = await part()
            progress(stage, len(results), len(parts))

    progress(stage, 0, len(parts))
    async with asyncio.TaskGroup() as group:
        for _ in range(min(MAX_CONNECTIONS, len(parts))):
            group.create_task(work())
    return [results[index] for index in range(len(parts))]
