"""`leaderboard verify`: is everything as promised?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from app.cli.errors import FAILED
from app.cli.output import console, examples, progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.services.verify import Finding
    from app.wiring import App


def add_to(program: typer.Typer) -> None:
    """Register the command."""
    program.command(epilog=examples("leaderboard verify", "leaderboard verify || page-somebody"))(verify)


def verify() -> int:
    """Check every invariant of the data, on all of it, and print what was checked.

    Sums of deltas, windows, ranges, tokens, every hash of every chain, and Redis against PostgreSQL. Changes nothing
    and may run beside a busy service. Ends with exit code 1 when something is not as it should be, and names the row.
    """
    from app.cli.services import with_services

    async def work(app: App) -> Sequence[Finding]:
        with progress() as bar:
            tasks = {}

            def advance(check: str, done: int, total: int) -> None:
                if check not in tasks:
                    tasks[check] = bar.add_task(f"Checking {check}", total=total)
                bar.update(tasks[check], completed=done, total=total)

            return await app.verify.run(advance)

    return _show(with_services(work))


def _show(findings: Sequence[Finding]) -> int:
    from rich.table import Table

    table = Table("Check", "What is promised", "Checked", "Breaches", box=None)
    table.columns[2].justify = table.columns[3].justify = "right"
    for finding in findings:
        found = f"[bold red]{len(finding.breaches)}[/]" if finding.breaches else "[green]none[/]"
        table.add_row(finding.name, finding.promise, f"{finding.checked:,}", found)
    out = console()
    out.print(table)
    broken = [sentence for finding in findings for sentence in finding.breaches]
    for sentence in broken:
        out.print(f"[bold red]✗[/] {sentence}", soft_wrap=True)
    return FAILED if broken else 0
