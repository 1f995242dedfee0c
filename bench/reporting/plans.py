"""What statements cost PostgreSQL: each is explained and then executed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass
class PlanRecorder:
    """A connection that keeps the plans of all statements, with what was measured while they ran."""

    connection: AsyncConnection
    plans: list[dict[str, Any]] = field(default_factory=list)
    cpu_milliseconds: float = 0.0
    """CPU time of PostgreSQL for planning and executing all statements without EXPLAIN, after `measure_cpu`."""
    _schedstat: Path | None = None

    async def measure_cpu(self) -> None:
        """Measure CPU time from now on: of a server on this machine, which must be Linux."""
        pid = (await self.connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        self._schedstat = Path(f"/proc/{pid}/schedstat")

    async def execute(self, statement: TextClause, parameters: dict[str, Any]) -> Any:
        """Execute a statement twice, first to explain it."""
        explain = text(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement.text}")
        (plan,) = (await self.connection.execute(explain, parameters)).scalar_one()
        self.plans.append(plan)
        before = self._cpu_nanoseconds()
        result = await self.connection.execute(statement, parameters)
        self.cpu_milliseconds += (self._cpu_nanoseconds() - before) / 1e6
        return result

    def _cpu_nanoseconds(self) -> int:
        return int(self._schedstat.read_text().split()[0]) if self._schedstat else 0

    @property
    def milliseconds(self) -> float:
        """The execution time of all statements."""
        return float(sum(plan["Execution Time"] for plan in self.plans))

    @property
    def planning_milliseconds(self) -> float:
        """The planning time of all statements."""
        return float(sum(plan["Planning Time"] for plan in self.plans))

    @property
    def blocks(self) -> int:
        """The blocks that were read, from memory or from disk."""
        return sum(
            plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] + plan["Plan"]["Temp Read Blocks"]
            for plan in self.plans
        )

    @property
    def max_rows(self) -> int:
        """The maximum of rows that one step of a plan returned or filtered in all of its loops."""
        return max(int(_rows(node)) for plan in self.plans for node in _nodes(plan["Plan"]))

    def loops_of(self, index: str) -> int:
        """Return how many times indexes with this in their name were read."""
        nodes = [node for plan in self.plans for node in _nodes(plan["Plan"])]
        return sum(int(node["Actual Loops"]) for node in nodes if index in node.get("Index Name", ""))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for part in node.get("Plans", ()):
        yield from _nodes(part)


def _rows(node: dict[str, Any]) -> float:
    filtered = sum(count for name, count in node.items() if name.startswith("Rows Removed by"))
    rows: float = (node["Actual Rows"] + filtered) * node["Actual Loops"]
    return rows
