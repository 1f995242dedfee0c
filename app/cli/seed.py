"""`leaderboard seed`: made-up players, few or very many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import console, examples, progress

if TYPE_CHECKING:
    from app.wiring import App


def add_to(program: typer.Typer) -> None:
    """Register the command."""
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
        int | None, typer.Option(min=0, help="How many completed actions they share; one each when omitted.")
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=3650, help="Over how many days: 1 is today, so all on every board.")
    ] = 1,
    category: Annotated[str, typer.Option(help="Where they play.")] = "global",
) -> None:
    """Add made-up players with a past, by COPY: a million in a minute or two.

    They have ledgers and scores as real ones: `leaderboard verify` finds nothing. What was there stays. Every ten
    thousand players are one transaction, so a seeding that is interrupted leaves nothing half done.
    """
    from app.cli.rebuild import rebuild_category
    from app.cli.services import with_services

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
