"""`leaderboard top`: print a board once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.output import console, examples
from app.domain.boards.board_query import BoardQuery, page_view
from app.domain.boards.periods import Period

if TYPE_CHECKING:
    from app.domain.boards.board import Page
    from app.domain.scores import ScoreFormat
    from app.wiring import App


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(epilog=examples("leaderboard top", "leaderboard top --category arcade --period WEEKLY --limit 25"))(
        top
    )


def top(
    category: Annotated[str, typer.Option(help="The id of the category.")] = "global",
    period: Annotated[Period, typer.Option(case_sensitive=False, help="The period of the board.")] = Period.ALL_TIME,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many entries to print.")] = 10,
) -> None:
    """Print the top entries of a board, read directly from the data stores: no running server is needed."""
    from app.cli.process.open_services import with_services

    async def work(app: App) -> tuple[Page, ScoreFormat]:
        boards = app.board_queries
        kind = boards.category(category, period)
        query = BoardQuery(kind, boards.board(kind, period), page_view(limit))
        return (await boards.page(query)).value.page, kind.score_format

    _show(*with_services(work))


def _show(page: Page, score_format: ScoreFormat) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("#", "Player", "Score", box=None)
    table.columns[0].justify = table.columns[2].justify = "right"
    for entry in page.entries:
        # Names are text that users entered, not markup.
        table.add_row(str(entry.rank), Text(entry.user.username), score_format.text(entry.score))
    out = console()
    out.print(table if page.entries else "No user has a score on this board yet")
    out.print(f"{page.board.key}: {page.total_users:,} players, from {page.source.value}", style="dim")
