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

    Several processes may do this at once: one migrates, the others wait; and the service may run meanwhile. It uses
    DATABASE_DIRECT_URL, if that is set, and DATABASE_URL otherwise. A database that a newer version has migrated, and
    that this version can use, is left as it is. A downgrade deletes the data of the tables
    and columns that it drops, so it asks for confirmation.
    """
    import alembic.util

    if down is not None and not yes:
        _confirm(down)
    from app.cli.process.stores import open_settings_with_stores, translate_store_errors, wait_for_revisions
    from app.models.migrate import downgrade, upgrade
    from app.models.revisions import read_revisions

    with open_settings_with_stores() as settings, translate_store_errors("PostgreSQL", settings.database_url):
        url = settings.database_direct_url or str(settings.database_url)
        before = wait_for_revisions(url, settings.start_timeout)
        try:
            if down is None:
                upgrade(url)
            else:
                downgrade(url, down)
        except alembic.util.CommandError as error:
            raise CommandError(str(error)) from error
        after = read_revisions(url)
    console(stderr=True).print(
        f"The database is at revision {after.current or 'base'} (was {before.current or 'base'}, newest {after.newest})"
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
