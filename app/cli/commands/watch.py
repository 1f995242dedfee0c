"""`leaderboard watch`: a live board in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.output import console, examples
from app.domain.boards.periods import Period

if TYPE_CHECKING:
    from app.cli.simulation.board_subscription import BoardSubscription


SINCE = {
    Period.ALL_TIME: "since yesterday",
    Period.DAILY: "since yesterday",
    Period.WEEKLY: "since last week",
    Period.MONTHLY: "since last month",
}
"""What the ranks on a board are compared with, by its period."""


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
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
    url: Annotated[
        str | None, typer.Option(help="The URL of the server. Default: the server of this folder, else HOST and PORT.")
    ] = None,
) -> None:
    """Show a live board in the terminal, using a GraphQL subscription. Press Ctrl-C to stop.

    It reconnects automatically after the connection is lost. Arrows show whose rank changed with the last message, and
    the last column shows the places gained or lost since yesterday, last week or last month. If the output is not a
    terminal, every message is printed as a plain board.
    """
    import asyncio

    from app.cli.process.server_url import server_url
    from app.cli.simulation.board_subscription import BoardSubscription
    from app.runtime import Runtime

    subscription = BoardSubscription(server_url(url), category, period, limit, Runtime())
    asyncio.run(_show(subscription, f"{category} · {period.value}", SINCE[period], updates))


async def _show(subscription: BoardSubscription, title: str, since: str, updates: int | None) -> None:
    from rich.live import Live

    from app.cli.simulation.board_subscription import ConnectionLost
    from app.cli.terminal.board_view import BoardView

    out = console()
    view = BoardView(title, since)
    live = Live(view, console=out, auto_refresh=False) if out.is_terminal else None
    if live is not None:
        live.start()
    try:
        async for message in subscription.messages():
            if isinstance(message, ConnectionLost):
                view.show_connection_lost(message)
            else:
                view.show(message)
                updates = updates and updates - 1
            if live is not None:
                live.refresh()
            elif not isinstance(message, ConnectionLost):
                out.print(view.plain_text(), markup=False, soft_wrap=True)
            if updates == 0:
                break
    finally:
        if live is not None:
            live.stop()
