"""`leaderboard schema`: print the GraphQL schema, or compare it with an earlier one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import examples, print_result


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(
        epilog=examples("leaderboard schema > schema.graphql", "leaderboard schema --against their-schema.graphql")
    )(schema)


def schema(
    against: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="An earlier schema: print what breaks its clients instead."),
    ] = None,
    declared: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Breaking changes that are intended, one per line."),
    ] = None,
) -> None:
    """Print the GraphQL schema in SDL on standard output.

    With --against, print the changes since that schema that break clients, one per line, and exit with 1 if there are
    any that --declared does not list, or if it lists one that is not there.
    """
    from app.graphql import print_sdl

    sdl = print_sdl()
    if against is None:
        print_result(sdl)
        return
    found = breaking_changes(against.read_text(), sdl)
    expected = [] if declared is None else _entries(declared.read_text())
    if found:
        print_result("\n".join(found))
    undeclared = [change for change in found if change not in expected]
    outdated = [change for change in expected if change not in found]
    if undeclared:
        raise CommandError(f"these changes break clients of {against}: {'; '.join(undeclared)}")
    if outdated:
        raise CommandError(f"{declared} lists changes that are not there: {'; '.join(outdated)}")


def breaking_changes(before: str, after: str) -> list[str]:
    """Return what breaks clients of a schema that is replaced by another, both in SDL, in alphabetical order."""
    from graphql import build_schema, find_breaking_changes

    changes = find_breaking_changes(build_schema(before), build_schema(after))
    return sorted(change.description for change in changes)


def _entries(text: str) -> list[str]:
    """Return the lines of a file without comments and empty ones."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
