"""`leaderboard rebuild`: load the boards into Redis from PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.output import console, examples, progress

if TYPE_CHECKING:
    from rich.progress import Progress

    from app.wiring import App


def add_to(program: typer.Typer) -> None:
    """Register the command."""
    program.command(epilog=examples("leaderboard rebuild", "leaderboard rebuild --category arcade"))(rebuild)


def rebuild(
    category: Annotated[str | None, typer.Option(help="Rebuild only this category. Default: all categories.")] = None,
) -> None:
    """Reload the current boards into Redis from PostgreSQL.

    Meanwhile reads are answered from PostgreSQL. Scores that are submitted meanwhile are not lost.
    """
    from app.cli.process.open_services import with_services

    async def work(app: App) -> None:
        wanted = [category] if category else sorted(app.catalogue.current.categories)
        with progress() as bar:
            rows = sum([await rebuild_category(app, one, bar) for one in wanted])
        console().print(f"Loaded {rows:,} rows of {len(wanted)} {'category' if category else 'categories'}")

    with_services(work)


async def rebuild_category(app: App, category_id: str, bar: Progress) -> int:
    """Load one category with a line of progress; returns the number of rows.

    Raises CommandError when another process is at it, CategoryNotFound.
    """
    from app.cli.terminal.errors import CommandError
    from app.domain.ledger.posting import boards_for
    from app.models.statements.boards.board_rows import count_rows

    category = app.catalogue.current.category(category_id)
    async with app.database.connect() as connection:
        total = sum([await count_rows(connection, board) for board in boards_for(category, app.clock())])
    task = bar.add_task(f"Redis: {category_id}", total=total)
    rows = await app.rebuild.rebuild(category, force=True, progress=lambda done: bar.advance(task, done))
    if total and not rows:
        raise CommandError(f"another process is already rebuilding {category_id}")
    bar.update(task, completed=rows, total=rows)
    return rows
