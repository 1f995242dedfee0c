"""`leaderboard events endpoints`: where events are delivered to as webhooks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer

from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import console, examples, help_without_command, print_result
from app.domain.errors import BadUserInput

if TYPE_CHECKING:
    from app.domain.events.endpoint import EndpointReport
    from app.domain.ledger.transactions import Actor
    from app.services.webhooks.endpoints import Endpoints

T = TypeVar("T")

EndpointId = Annotated[UUID, typer.Argument(metavar="ENDPOINT", help="The id of the endpoint.")]

MAX_PRINTED = 100
"""Dead letters that are printed."""


def add_to(events: typer.Typer) -> None:
    """Register the commands with `leaderboard events`."""
    commands = typer.Typer(
        help="Manage the endpoints that events are delivered to as webhooks.",
        callback=help_without_command,
        invoke_without_command=True,
    )
    url = "https://game.example/events"
    commands.command(epilog=examples(f"leaderboard events endpoints add {url} --type milestone.reached"))(add)
    commands.command("list", epilog=examples("leaderboard events endpoints list"))(list_endpoints)
    commands.command(epilog=examples("leaderboard events endpoints remove ENDPOINT"))(remove)
    commands.command(epilog=examples("leaderboard events endpoints rotate ENDPOINT"))(rotate)
    commands.command(epilog=examples("leaderboard events endpoints disable ENDPOINT"))(disable)
    commands.command(epilog=examples("leaderboard events endpoints resume ENDPOINT"))(resume)
    commands.command("dead-letters", epilog=examples("leaderboard events endpoints dead-letters ENDPOINT"))(
        dead_letters
    )
    commands.command(epilog=examples("leaderboard events endpoints resend ENDPOINT"))(resend)
    events.add_typer(commands, name="endpoints")


def add(
    url: Annotated[str, typer.Argument(help="Where events are sent to: https://host/path.")],
    types: Annotated[
        list[str] | None, typer.Option("--type", help="A type of events that it gets; repeatable. All by default.")
    ] = None,
    categories: Annotated[
        list[str] | None,
        typer.Option("--category", help="A category whose events it gets; repeatable. All by default."),
    ] = None,
) -> None:
    """Add an endpoint and print its secret; nothing else is printed on standard output.

    The secret is shown only now. The endpoint gets the events that happen from now on.
    """
    added = administer(lambda endpoints: endpoints.add(operator(), url, types or (), categories or ()))
    print_result(added.secret)
    console(stderr=True).print(f"Added the endpoint {added.report.endpoint.id}", soft_wrap=True)


def list_endpoints() -> None:
    """List all endpoints with their state and what is still to be delivered."""
    from rich.table import Column, Table

    table = Table(
        Column("id", no_wrap=True),
        "url",
        Column("state", no_wrap=True),
        "undelivered",
        "dead letters",
        "lost",
        "last error",
    )
    for report in administer(lambda endpoints: endpoints.all()):
        endpoint = report.endpoint
        table.add_row(
            str(endpoint.id),
            endpoint.url,
            endpoint.state.value.lower(),
            str(report.undelivered),
            str(report.dead_letters),
            str(endpoint.lost),
            endpoint.disabled_reason or endpoint.last_error or "-",
        )
    console().print(table)


def remove(
    endpoint: EndpointId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, whatever is lost.")] = False,
) -> None:
    """Remove an endpoint. What was not delivered to it is lost: the command says how much, and asks."""
    report = _find(endpoint)
    if not yes and (report.undelivered or report.dead_letters):
        lost = f"{report.undelivered} undelivered events and {report.dead_letters} dead letters will be lost"
        typer.confirm(f"{lost}. Remove {report.endpoint.url}?", abort=True, err=True)
    removed = administer(lambda endpoints: endpoints.remove(operator(), endpoint))
    console().print(
        f"Removed {removed.endpoint.url}; lost: {removed.undelivered} undelivered events, "
        f"{removed.dead_letters} dead letters",
        soft_wrap=True,
    )


def rotate(endpoint: EndpointId) -> None:
    """Replace the secret and print the new one. For 24 hours deliveries are signed with both."""
    rotated = administer(lambda endpoints: endpoints.rotate(operator(), endpoint))
    print_result(rotated.secret)


def disable(endpoint: EndpointId) -> None:
    """Stop deliveries until the endpoint is resumed; events are kept meanwhile."""
    administer(lambda endpoints: endpoints.disable(operator(), endpoint))
    console().print(f"Disabled {endpoint}")


def resume(endpoint: EndpointId) -> None:
    """Deliver again to an endpoint that is paused or disabled, from where it was."""
    report = administer(lambda endpoints: endpoints.resume(operator(), endpoint))
    console().print(f"Resumed {endpoint}; {report.undelivered} events are to be delivered")


def dead_letters(endpoint: EndpointId) -> None:
    """List up to 100 deliveries that were given up."""
    from rich.table import Table

    letters, has_more = administer(lambda endpoints: endpoints.dead_letters(endpoint, MAX_PRINTED))
    table = Table("position", "event", "type", "subject", "attempts", "given up", "last error")
    for letter in letters:
        given_up = "-" if letter.dead_at is None else f"{letter.dead_at:%Y-%m-%d %H:%M}"
        event_id, attempts = str(letter.event_id), str(letter.attempts)
        table.add_row(
            str(letter.position), event_id, letter.type, letter.subject, attempts, given_up, letter.last_error or "-"
        )
    console().print(table)
    if has_more:
        console().print("There are more.")


def resend(
    endpoint: EndpointId,
    positions: Annotated[
        list[int] | None, typer.Option("--position", help="The position of a dead letter; repeatable. All by default.")
    ] = None,
) -> None:
    """Deliver dead letters again."""
    count = administer(lambda endpoints: endpoints.resend(operator(), endpoint, positions or None))
    console().print(f"{count} dead letters will be delivered again")


def administer(work: Callable[[Endpoints], Awaitable[T]]) -> T:
    """Call `work` with the administration of endpoints. Raises CommandError for what it refuses."""
    from app.cli.process.open_services import with_database_and_settings
    from app.config import Settings
    from app.runtime import Runtime
    from app.services.webhooks.endpoints import Endpoints
    from app.stores.postgres import Database

    async def run(database: Database, settings: Settings) -> T:
        encrypted_only = settings.is_production and not settings.webhook_private_networks
        return await work(Endpoints(database, settings.event_types, Runtime(), encrypted_only=encrypted_only))

    try:
        return with_database_and_settings(run)
    except BadUserInput as error:
        raise CommandError(error.message) from error


def operator() -> Actor:
    """Return the actor of what commands do."""
    from app.domain.ledger.transactions import Actor

    return Actor(None, "operator")


def _find(endpoint_id: UUID) -> EndpointReport:
    reports = administer(lambda endpoints: endpoints.all())
    for report in reports:
        if report.endpoint.id == endpoint_id:
            return report
    raise CommandError("There is no endpoint with this id.")
