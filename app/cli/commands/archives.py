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
) -> None:
    """Import a file that `export` wrote. Importing it again changes nothing.

    All hashes are verified, and every hash chain must be complete, or nothing is imported. With --opening the file
    has one line per user: user, score and optionally username, reached_at and avatar_url; each balance counts once.
    """
    from app.cli.commands.rebuild import rebuild_category
    from app.cli.process.open_services import with_services

    async def work(app: App) -> None:
        with progress() as bar:
            if opening:
                summary = await _import_balances(app, file, category, reason, bar)
                changed = [category]
            else:
                with _open_for_reading(file) as lines:
                    merged = await app.import_archive(lines, StageProgress(bar).update)
                summary = ", ".join(f"{count:,} {name}" for name, count in merged.items() if count) or "nothing"
                changed = sorted(app.catalogue.current.categories) if any(merged.values()) else []
            for category_id in changed:
                await rebuild_category(app, category_id, bar)
        console().print(f"New or different: {summary}")

    with_services(work)


async def _import_balances(app: App, file: Path, category: str, reason: str, bar: Progress) -> str:
    import io

    from app.services.archives.balance_file import read_csv, read_json

    max_score = app.catalogue.current.category(category).score_cap
    task = bar.add_task("Balances", total=None)
    with _open_for_reading(file) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        read = read_csv if ".csv" in file.suffixes else read_json
        balances = read(text, app.settings.subject_ids, max_score, app.clock())
        outcome = await app.opening_balances(category, balances, reason, lambda done: bar.advance(task, done))
    return f"{outcome.opened:,} balances ({outcome.known:,} were known)"


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
def _open_for_reading(file: Path) -> Iterator[IO[bytes]]:
    import gzip

    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as content:
        yield cast("IO[bytes]", content)


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
