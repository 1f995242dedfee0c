"""`leaderboard export` and `leaderboard import`: users, catalogue and ledger as JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, cast

import typer

from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import console, examples, progress

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from app.wiring import App


def add_to(program: typer.Typer) -> None:
    """Register the commands with the program."""
    program.command("export", epilog=examples("leaderboard export backup.jsonl", "leaderboard export backup.jsonl.gz"))(
        export_archive
    )
    program.command(
        "import",
        epilog=examples(
            "leaderboard import backup.jsonl.gz",
            "leaderboard import --opening old-board.csv --category arcade",
        ),
    )(import_archive)


def export_archive(
    file: Annotated[
        Path, typer.Argument(dir_okay=False, help="The file to write; compressed if its name ends in .gz.")
    ],
) -> None:
    """Write users, catalogue and ledger to a file: a consistent snapshot, also while the service is running.

    The file appears under its name only when it is complete. It contains no scores: an import computes them from the
    ledger.
    """
    from app.cli.process.open_services import with_services
    from app.domain.errors import BadUserInput

    async def work(app: App) -> None:
        with _open_replacement(file) as out, progress() as bar:
            stages = StageProgress(bar)
            async for line in app.export.lines(stages.update):
                out.write(line)

    try:
        with_services(work)
    except BadUserInput as error:
        raise CommandError(error.message) from error
    console(stderr=True).print(f"Wrote {file} ({file.stat().st_size:,} bytes)")


def import_archive(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="An archive, or with --opening a file of balances.")
    ],
    opening: Annotated[
        bool, typer.Option("--opening", help="Import the scores of another system: CSV or JSON Lines.")
    ] = False,
    category: Annotated[str, typer.Option(help="With --opening: the id of the category.")] = "global",
    reason: Annotated[str, typer.Option(help="With --opening: the reason, for the ledger.")] = "Imported balance",
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="With --opening: import the other lines if some are not valid.")
    ] = False,
) -> None:
    """Import a file that `export` wrote. Importing it again changes nothing.

    All hashes are verified, and every hash chain must be complete, or nothing is imported. With --opening the file
    has one line per user: user, score and optionally username, reached_at and avatar_url; each balance counts once.
    Every line that is not valid is reported on standard error, and then nothing is imported without --skip-invalid.
    """
    from app.cli.commands.rebuild import rebuild_category
    from app.cli.process.open_services import with_services
    from app.services.archives.input_file import open_text

    async def work(app: App) -> None:
        with progress() as bar:
            if opening:
                summary = await _import_balances(app, file, category, reason, skip_invalid, bar)
                changed = [category]
            else:
                with open_text(file) as lines:
                    merged = await app.import_archive(lines, StageProgress(bar).update)
                summary = ", ".join(f"{count:,} {name}" for name, count in merged.items() if count) or "nothing"
                changed = sorted(app.catalogue.current.categories) if any(merged.values()) else []
            for category_id in changed:
                await rebuild_category(app, category_id, bar)
        console().print(f"New or different: {summary}")

    with_services(work)


async def _import_balances(app: App, file: Path, category: str, reason: str, skip_invalid: bool, bar: Progress) -> str:
    from app.services.archives.balance_file import BalanceFile, InvalidLine
    from app.services.archives.input_file import open_text

    balances = BalanceFile(app.settings.subject_ids, app.catalogue.current.category(category).score_cap, app.clock())
    invalid = 0

    def report(line: InvalidLine) -> None:
        nonlocal invalid
        invalid += 1
        bar.console.print(f"{file.name}, {line}", markup=False, soft_wrap=True)

    with open_text(file) as content:
        valid = sum(1 for _ in bar.track(balances.read(content, report), description="Lines"))
    if invalid and not skip_invalid:
        raise CommandError(
            f"{invalid:,} of {valid + invalid:,} lines are not valid, so nothing was imported; "
            "correct them, or skip them with --skip-invalid"
        )
    task = bar.add_task("Balances", total=valid)
    with open_text(file) as content:
        outcome = await app.opening_balances(
            category,
            balances.read(content, lambda _: None),
            reason,
            lambda done: bar.advance(task, done),
        )
    skipped = f", {invalid:,} lines skipped" if invalid else ""
    return f"{outcome.opened:,} balances ({outcome.known:,} were known{skipped})"


class StageProgress:
    """One progress bar for each stage, in the order in which the stages start."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}

    def update(self, stage: str, done: int, total: int | None) -> None:
        """Show that `done` of `total` items of a stage are done."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(stage.capitalize(), total=total)
        self._bar.update(self._tasks[stage], completed=done, total=total)


@contextmanager
def _open_replacement(file: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file that replaces `file` when the block ends, and is deleted if the block fails."""
    import gzip

    part = file.with_name(f"{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)  # The file contains data of players.
        with gzip.open(part, "wb") if file.suffix == ".gz" else part.open("wb") as out:
            yield cast("IO[bytes]", out)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
