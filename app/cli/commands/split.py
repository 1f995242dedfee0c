"""`leaderboard split`: divide the boards of a very large category over several nodes of a Redis Cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.output import console, examples, progress

if TYPE_CHECKING:
    from app.wiring import App


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(epilog=examples("leaderboard split global 3", 'leaderboard split global 1 --reason "One node"'))(
        split
    )


def split(
    category: Annotated[str, typer.Argument(help="The id of the category.")],
    shards: Annotated[int, typer.Argument(help="In how many shards its boards shall be, from 1 to 16. 1: not split.")],
    reason: Annotated[
        str, typer.Option(help="The reason for the change, for the audit log.")
    ] = "Changed from the command line",
) -> None:
    """Divide the boards of a category over several shards in Redis.

    Stop all instances first. The boards are loaded into their shards from PostgreSQL. When this is worth it, and what
    it costs, is in docs/operations/redis.md.
    """
    from app.cli.process.open_services import with_services
    from app.domain.ledger.posting import boards_for
    from app.domain.ledger.transactions import Actor
    from app.models.statements.boards.board_rows import count_rows

    async def work(app: App) -> int | None:
        boards = boards_for(app.catalogue.current.category(category), app.clock())
        async with app.database.connect() as connection:
            total = sum([await count_rows(connection, board) for board in boards])
        with progress() as bar:
            task = bar.add_task(f"Redis: {category}", total=total)
            actor = Actor(None, "operator")
            return await app.change_shards(category, shards, actor, reason, lambda done: bar.advance(task, done))

    rows = with_services(work)
    if rows is None:
        console().print("Nothing to change")
    else:
        console().print(f"Loaded {rows:,} rows of {category} into {shards} {'shard' if shards == 1 else 'shards'}")
