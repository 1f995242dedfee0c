"""Print how much of `app` the tests have executed: by package, in total, and the files with the least.

    coverage json -o FILE
    python -m tests.support.coverage_report FILE MINIMUM

A percentage is that of coverage.py: lines and branches that were executed, of all. The exit code is 1 if the total is
less than MINIMUM.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

LEAST_COVERED = 10


@dataclass(frozen=True, slots=True)
class Covered:
    """How much of a file or package was executed; lines and branches count alike."""

    executed: int = 0
    total: int = 0

    def __add__(self, other: Covered) -> Covered:
        """Return both together."""
        return Covered(self.executed + other.executed, self.total + other.total)

    @property
    def percent(self) -> float:
        """100 if there is nothing to execute."""
        return 100 * self.executed / self.total if self.total else 100.0


def by_file(report: dict[str, Any]) -> dict[str, Covered]:
    """Return what a JSON report of coverage.py says about each file."""
    return {
        name: Covered(
            summary["covered_lines"] + summary["covered_branches"], summary["num_statements"] + summary["num_branches"]
        )
        for name, summary in ((name, file["summary"]) for name, file in report["files"].items())
    }


def by_package(files: dict[str, Covered]) -> dict[str, Covered]:
    """Return the sums of the packages directly in `app`, and that of its modules as `app`."""
    packages: dict[str, Covered] = defaultdict(Covered)
    for name, covered in files.items():
        parts = Path(name).parts
        packages["/".join(parts[: min(2, len(parts) - 1)])] += covered
    return dict(sorted(packages.items()))


def least_covered(files: dict[str, Covered], count: int = LEAST_COVERED) -> dict[str, Covered]:
    """Return the files with the lowest percentages, lowest first."""
    lowest = sorted(files.items(), key=lambda item: (item[1].percent, item[0]))
    return dict([item for item in lowest if item[1].total][:count])


def _table(title: str, rows: dict[str, Covered]) -> Table:
    table = Table(title, "Executed", "Lines and branches", "%", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, covered in rows.items():
        table.add_row(name, f"{covered.executed:,}", f"{covered.total:,}", f"{covered.percent:.1f}")
    return table


def main(file: str, minimum: str) -> int:
    """Print the report, and return the exit code."""
    files = by_file(json.loads(Path(file).read_text()))
    total = sum(files.values(), Covered())
    console = Console(width=120)  # Names of files are not to be cut off.
    console.print(_table("Package", by_package(files)))
    console.print()
    console.print(_table("Least covered", least_covered(files)))
    console.print(f"\nTotal: {total.percent:.1f} %")
    if total.percent < float(minimum):
        console.print(f"The tests must execute at least {minimum} % of app.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
