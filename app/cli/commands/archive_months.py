"""`leaderboard archive`: move closed months of the ledger to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import console, examples, progress

if TYPE_CHECKING:
    from app.models.statements.retention.archived_months import MonthFileRecord
    from app.wiring import App


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(
        "archive",
        epilog=examples("leaderboard archive /backup/ledger", "leaderboard archive /backup/ledger --before 2026-01"),
    )(archive_months)


def archive_months(
    folder: Annotated[Path, typer.Argument(file_okay=False, exists=True, help="The folder of the month files.")],
    before: Annotated[
        str | None,
        typer.Option(help="The first month that stays, as YYYY-MM; by default TRANSACTION_RETENTION_MONTHS decides."),
    ] = None,
) -> None:
    """Move closed months of the ledger to files, and drop them from the database.

    Each month is dropped only after its file was read back and every hash in it was verified. Interrupting and
    repeating the command is safe. Keep the files: `leaderboard verify --archive` verifies them.
    """
    from app.cli.process.open_services import with_services
    from app.domain.errors import BadUserInput
    from app.models.statements.ledger.partitions import Month
    from app.models.statements.retention.archived_months import MonthChanged
    from app.services.retention.month_file import MonthFileError

    try:
        first_kept = None if before is None else Month.parse(before)
    except ValueError:
        raise CommandError("--before must be a month, such as 2026-01") from None

    async def work(app: App) -> list[MonthFileRecord]:
        months = app.settings.transaction_retention_months
        if first_kept is None and not months:
            raise CommandError("TRANSACTION_RETENTION_MONTHS must be set, or --before must be given")
        with progress() as bar:
            tasks = {}

            def advance(step: str, done: int) -> None:
                if step not in tasks:
                    tasks[step] = bar.add_task(step, total=None)
                bar.update(tasks[step], completed=done)

            try:
                return await app.archive_months(folder, first_kept or app.archive_months.first_kept(months), advance)
            except BadUserInput as error:
                raise CommandError(error.message) from error
            except MonthFileError as error:
                raise CommandError(f"the month stays in the database: {error}") from error
            except MonthChanged as error:
                raise CommandError("transactions of the month were added meanwhile: repeat the command") from error

    records = with_services(work)
    for record in records:
        console().print(f"{record.month}: {record.transactions:,} transactions in {folder / record.file}")
    if not records:
        console().print("There is no month to archive.")
