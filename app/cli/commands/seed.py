"""`leaderboard seed`: add random players, from a few to millions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.output import console, examples, progress

if TYPE_CHECKING:
    from app.wiring import App


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(
        epilog=examples(
            "leaderboard seed --users 1000",
            "leaderboard seed --users 1000000 --actions 1500000",
            "leaderboard seed --users 500 --actions 20000 --days 30 --category arcade",
        )
    )(seed)


def seed(
    users: Annotated[int, typer.Option(min=1, help="How many players to add.")] = 1000,
    actions: Annotated[
        int | None, typer.Option(min=0, help="How many completed actions in total. Default: one per player.")
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=3650, help="Over how many past days to spread them; 1 means today only.")
    ] = 1,
    category: Annotated[str, typer.Option(help="The id of the category.")] = "global",
) -> None:
    """Add random players with completed actions, by COPY: a million takes a minute or two.

    `leaderboard verify` accepts their ledgers and scores like those of real players. Existing data is not changed.
    Every ten thousand players are one transaction, so an interrupted run leaves only complete players.
    """
    from app.cli.commands.rebuild import rebuild_category
    from app.cli.process.open_services import with_services

    async def work(app: App) -> None:
        with progress() as bar:
            task = bar.add_task("Players", total=users)
            seeded = await app.seeding.seed(
                category, users, users if actions is None else actions, days, lambda done: bar.advance(task, done)
            )
            await rebuild_category(app, category, bar)
        console().print(
            f"Added {seeded.users:,} players, {seeded.transactions:,} transactions and {seeded.scores:,} scores"
        )

    with_services(work)
