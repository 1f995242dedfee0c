"""`leaderboard migrate`: the tables."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.errors import CommandError
from app.cli.output import console, examples


def add_to(program: typer.Typer) -> None:
    """Register the command."""
    program.command(epilog=examples("leaderboard migrate", "leaderboard migrate --down base"))(migrate)


def migrate(
    down: Annotated[
        str | None, typer.Option(metavar="REVISION", help="Go down to this revision; `base` removes all tables.")
    ] = None,
) -> None:
    """Bring the database up to date. Several may do it at once: one works, the others wait.

    Going down loses the data of tables and columns that go.
    """
    import alembic.util

    from app.cli.stores import reaching, stores
    from app.models.migrate import downgrade, revisions, upgrade

    with stores() as settings, reaching("PostgreSQL", settings.database_url):
        url = str(settings.database_url)
        before, newest = revisions(url)
        try:
            if down is None:
                upgrade(url)
            else:
                downgrade(url, down)
        except alembic.util.CommandError as error:
            raise CommandError(str(error)) from error
        after, _ = revisions(url)
    console(stderr=True).print(
        f"The database is at revision {after or 'base'} (was {before or 'base'}, newest {newest})"
    )
