"""`leaderboard rebuild`: load the boards into Redis from PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.output import console, examples, progress

if TYPE_CHECKING:
    from rich.progress import Progress

    from app.wiring import App


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(epilog=examples("leaderboard rebuild", "leaderboard rebuild --category arcade"))(rebuild)


def rebuild(
    category: Annotated[str | None, typer.Option(help="Rebuild only this category. Default: all categories.")] = None,
) -> None:
    """Reload the current boards into Redis from PostgreSQL.

    During the rebuild, reads are answered from PostgreSQL, and submitted scores are not lost.
    """
    from app.cli.process.open_services import with_services

    async def work(app: App) -> None:
        category_ids = [category] if category else sorted(app.catalogue.current.categories)
        with progress() as bar:
            rows = sum([await rebuild_category(app, category_id, bar) for category_id in category_ids])
        console().print(f"Loaded {rows:,} rows of {len(category_ids)} {'category' if category else 'categories'}")

    with_services(work)


async def rebuild_category(app: App, category_id: str, bar: Progress) -> int:
    """Load one category into Redis with a progress bar, and return the number of rows.

    Raises:
        CategoryNotFound: There is no such category.
        CommandError: Another process is rebuilding the category.
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
