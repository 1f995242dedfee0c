"""`leaderboard events`: read events, deliver them again, and manage endpoints."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from app.cli.commands import event_endpoints
from app.cli.commands.event_endpoints import EndpointId, administer, operator
from app.cli.terminal.durations import parse_seconds
from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import console, examples, help_without_command, print_result

if TYPE_CHECKING:
    from app.config import Settings
    from app.stores.postgres import Database

PAGE = 1000
"""Events that are read at a time."""

POLL_INTERVAL = 0.5
"""Seconds between two looks for new events."""

Since = Annotated[
    str | None, typer.Option(help="From when on: how long ago, such as 90s, 15m, 2h, 3d, or an ISO 8601 time in UTC.")
]


def add_to(program: typer.Typer) -> None:
    """Register the commands with the program."""
    group = typer.Typer(
        help="Read events, deliver them again, and manage the endpoints that they are delivered to.",
        callback=help_without_command,
        invoke_without_command=True,
    )
    group.command(epilog=examples("leaderboard events tail", "leaderboard events tail --since 1h --no-follow"))(tail)
    group.command(epilog=examples("leaderboard events replay ENDPOINT --since 2h"))(replay)
    event_endpoints.add_to(group)
    program.add_typer(group, name="events")


def tail(
    since: Since = None,
    types: Annotated[list[str] | None, typer.Option("--type", help="Only events of this type; repeatable.")] = None,
    follow: Annotated[bool, typer.Option(help="Go on with the events that happen, until Ctrl-C.")] = True,
) -> None:
    """Print events as receivers get them, one JSON object per line; by default those that happen from now on."""
    import asyncio

    from app.cli.process.open_services import with_database_and_settings
    from app.models.statements.events.recorded_events import last_position, position_before, read_events

    chosen, start = set(types or ()), None if since is None else _moment(since)

    async def work(database: Database, settings: Settings) -> None:
        async with database.connect() as connection:
            position = await (last_position(connection) if start is None else position_before(connection, start))
        while True:
            async with database.connect() as connection:
                page = await read_events(connection, position, PAGE)
            for event in page:
                position = event.position
                if not chosen or event.type in chosen:
                    print_result(event.envelope(settings.event_source))
            if len(page) < PAGE:
                if not follow:
                    return
                await asyncio.sleep(POLL_INTERVAL)

    with_database_and_settings(work)


def replay(endpoint: EndpointId, since: Annotated[str, typer.Option(help="From when on, as for `tail`.")]) -> None:
    """Deliver to an endpoint again what was recorded since then, in order, with the same ids."""
    moment, endpoint_id = _moment(since), UUID(str(endpoint))
    report = administer(lambda endpoints: endpoints.replay(operator(), endpoint_id, moment))
    console().print(f"{report.undelivered} events are to be delivered to {report.endpoint.url}", soft_wrap=True)


def _moment(since: str) -> datetime:
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        return datetime.now(UTC) - timedelta(seconds=parse_seconds(since))
    if moment.year < 2000:
        raise CommandError("`--since` must be a time after the year 2000")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
