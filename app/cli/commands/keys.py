"""`leaderboard keys`: API keys of game back ends and of tools of moderators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from app.cli.terminal.durations import parse_seconds
from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import console, examples, help_without_command, print_result
from app.domain.errors import BadUserInput
from app.domain.identity.api_keys import caller_id
from app.domain.users import Role

if TYPE_CHECKING:
    from app.models.statements.auth.api_keys import KeyRecord
    from app.services.auth.api_key_administration import ApiKeyAdministration

T = TypeVar("T")

MAX_LIFETIME = timedelta(days=3650)


def add_to(program: typer.Typer) -> None:
    """Register the commands with the program."""
    commands = typer.Typer(
        help="Create, list and revoke the API keys by which back ends call the service.",
        callback=help_without_command,
        invoke_without_command=True,
    )
    commands.command(
        epilog=examples(
            "leaderboard keys create --name eu-1 --role server --expires 90d",
            'curl -H "authorization: Bearer $LEADERBOARD_KEY" …',
        )
    )(create)
    commands.command("list", epilog=examples("leaderboard keys list"))(list_keys)
    commands.command(epilog=examples("leaderboard keys revoke eu-1"))(revoke)
    program.add_typer(commands, name="keys")


def create(
    name: Annotated[
        str,
        typer.Option(help="Who uses the key. A key and the one that replaces it have the same name."),
    ],
    role: Annotated[Role, typer.Option(help="What the key allows: server or moderator.")] = Role.SERVER,
    expires: Annotated[
        str | None, typer.Option(help="How long the key is valid: 12h, 90d. By default until it is revoked.")
    ] = None,
) -> None:
    """Create a key and print it; nothing else is printed on standard output.

    The key is shown only now: only its hash is stored. It is valid at once on all instances.
    """
    lifetime = None if expires is None else timedelta(seconds=parse_seconds(expires))
    if lifetime is not None and lifetime > MAX_LIFETIME:
        raise typer.BadParameter(f"`--expires` must be at most {MAX_LIFETIME.days}d")
    created = _administer(lambda keys: keys.create(name, role, lifetime))
    print_result(created.key)
    until = "until it is revoked" if lifetime is None else f"until {_time(created.record.expires_at)}"
    console(stderr=True).print(
        f"Created the key {created.record.id} ({name}, {role.value}), valid {until}. In the ledger, its actor is "
        f"{caller_id(name)}",
        soft_wrap=True,
    )


def list_keys() -> None:
    """List all keys, also those that have expired or were revoked."""
    from datetime import UTC

    from rich.table import Column, Table

    whole = (Column("id", no_wrap=True), Column("name", no_wrap=True), Column("role", no_wrap=True))
    table = Table(*whole, Column("key", no_wrap=True), "state", "expires", "last used")
    now = datetime.now(UTC)
    for record in _administer(lambda keys: keys.records()):
        table.add_row(
            str(record.id),
            record.name,
            record.role,
            f"{record.hint}…",
            _state(record, now),
            _time(record.expires_at),
            _time(record.last_used_at),
        )
    console().print(table)


def revoke(key: Annotated[str, typer.Argument(help="The id of the key, or its name if only one key has it.")]) -> None:
    """Revoke a key. Within a second, on all instances, it is refused and what it opened is closed."""
    revoked = _administer(lambda keys: keys.revoke(key))
    console().print(f"Revoked the key {revoked.id} ({revoked.name})")


def _administer(work: Callable[[ApiKeyAdministration], Awaitable[T]]) -> T:
    from app.cli.process.open_services import with_database
    from app.runtime import Runtime
    from app.services.auth.api_key_administration import ApiKeyAdministration

    try:
        return with_database(lambda database: work(ApiKeyAdministration(database, Runtime())))
    except BadUserInput as error:
        raise CommandError(error.message) from error


def _state(record: KeyRecord, now: datetime) -> str:
    if record.revoked_at is not None:
        return "revoked"
    return "expired" if record.expires_at is not None and record.expires_at <= now else "active"


def _time(time: datetime | None) -> str:
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M}"
