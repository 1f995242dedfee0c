"""`leaderboard migrate`: create and update the database tables."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import console, examples


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(epilog=examples("leaderboard migrate", "leaderboard migrate --down base --yes"))(migrate)


def migrate(
    down: Annotated[
        str | None, typer.Option(metavar="REVISION", help="Downgrade to this revision. `base` drops all tables.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Downgrade without asking for confirmation.")] = False,
) -> None:
    """Bring the database tables up to date.

    Several processes may do this at once: one migrates, the others wait. A downgrade deletes the data of the tables
    and columns that it drops, so it asks for confirmation.
    """
    import alembic.util

    if down is not None and not yes:
        _confirm(down)
    from app.cli.process.stores import open_settings_with_stores, translate_store_errors
    from app.models.migrate import downgrade, read_revisions, upgrade

    with open_settings_with_stores() as settings, translate_store_errors("PostgreSQL", settings.database_url):
        url = str(settings.database_url)
        before, newest = read_revisions(url)
        try:
            if down is None:
                upgrade(url)
            else:
                downgrade(url, down)
        except alembic.util.CommandError as error:
            raise CommandError(str(error)) from error
        after, _ = read_revisions(url)
    console(stderr=True).print(
        f"The database is at revision {after or 'base'} (was {before or 'base'}, newest {newest})"
    )


def _confirm(revision: str) -> None:
    """Ask for confirmation of a downgrade.

    Raises:
        CommandError: The answer is no, or standard input is not a terminal.
    """
    if not sys.stdin.isatty():
        raise CommandError("a downgrade deletes data: confirm it with --yes, because standard input is not a terminal")
    if not typer.confirm(f"Downgrade to {revision} and delete the data that it drops?", err=True):
        raise CommandError("the downgrade was cancelled, and nothing was changed")
