"""`leaderboard verify`: check the integrity of all data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.errors import FAILED, CommandError
from app.cli.terminal.output import console, examples, progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.services.verify import CheckResult
    from app.wiring import App


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(epilog=examples("leaderboard verify", "leaderboard verify --archive /backup/ledger-*.jsonl.gz"))(
        verify
    )


def verify(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILES", exists=True, dir_okay=False, help="With --archive: the month files."),
    ] = None,
    archive: Annotated[
        bool, typer.Option("--archive", help="Verify month files, and that they continue the chains of the database.")
    ] = False,
) -> int:
    """Check every invariant on all data, and print what was checked.

    It checks the sums of deltas, windows, ranges, tokens, every hash of every hash chain, and Redis against
    PostgreSQL. It changes nothing and can run while the service is busy. If an invariant is broken, it prints the
    row and exits with code 1.
    """
    from app.cli.process.open_services import with_services

    if archive != bool(files):
        raise CommandError("--archive and at least one month file must be given together")

    async def work(app: App) -> Sequence[CheckResult]:
        with progress() as bar:
            tasks = {}

            def advance(check: str, done: int, total: int | None) -> None:
                if check not in tasks:
                    tasks[check] = bar.add_task(f"Checking {check}", total=total)
                bar.update(tasks[check], completed=done, total=total)

            if files:
                return [await app.verify_months(files, lambda step, done: advance(step, done, None))]
            return await app.verify.run(advance)

    return _show(with_services(work))


def _show(findings: Sequence[CheckResult]) -> int:
    from rich.table import Table

    table = Table("Check", "Invariant", "Checked", "Breaches", box=None)
    table.columns[2].justify = table.columns[3].justify = "right"
    for finding in findings:
        found = f"[bold red]{len(finding.violations)}[/]" if finding.violations else "[green]none[/]"
        table.add_row(finding.name, finding.invariant, f"{finding.checked:,}", found)
    out = console()
    out.print(table)
    broken = [sentence for finding in findings for sentence in finding.violations]
    for sentence in broken:
        out.print(f"[bold red]✗[/] {sentence}", soft_wrap=True)
    return FAILED if broken else 0
