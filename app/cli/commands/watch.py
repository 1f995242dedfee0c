"""`leaderboard watch`: a live board in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.output import console, examples
from app.domain.boards.periods import Period

if TYPE_CHECKING:
    from app.cli.simulation.board_subscription import BoardSubscription


def add_to(program: typer.Typer) -> None:
    """Register the command."""
    program.command(
        epilog=examples(
            "leaderboard watch",
            "leaderboard watch --category arcade --period DAILY --limit 20",
            "leaderboard watch --updates 1 > board.txt",
        )
    )(watch)


def watch(
    category: Annotated[str, typer.Option(help="The id of the category.")] = "global",
    period: Annotated[Period, typer.Option(case_sensitive=False, help="The period of the board.")] = Period.ALL_TIME,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many entries to show.")] = 10,
    updates: Annotated[int | None, typer.Option(min=1, help="Exit after this number of messages.")] = None,
    url: Annotated[str | None, typer.Option(help="The URL of the server. Default: built from HOST and PORT.")] = None,
) -> None:
    """Show a live board in the terminal, using a GraphQL subscription. Press Ctrl-C to stop.

    After a lost connection it reconnects by itself. Arrows show whose rank changed with the last message. If the
    output is not a terminal, every message is printed as a plain board.
    """
    import asyncio
    from random import Random

    from app.cli.process.server_url import server_url
    from app.cli.simulation.board_subscription import BoardSubscription

    feed = BoardSubscription(server_url(url), category, period, limit, Random())
    asyncio.run(_show(feed, f"{category} · {period.value}", updates))


async def _show(feed: BoardSubscription, title: str, updates: int | None) -> None:
    from rich.live import Live

    from app.cli.simulation.board_subscription import Lost
    from app.cli.terminal.board_view import BoardView

    out = console()
    view = BoardView(title)
    live = Live(view, console=out, auto_refresh=False) if out.is_terminal else None
    if live is not None:
        live.start()
    try:
        async for message in feed.messages():
            if isinstance(message, Lost):
                view.lose(message)
            else:
                view.show(message)
                updates = updates and updates - 1
            if live is not None:
                live.refresh()
            elif not isinstance(message, Lost):
                out.print(view.plain(), markup=False, soft_wrap=True)
            if updates == 0:
                break
    finally:
        if live is not None:
            live.stop()
