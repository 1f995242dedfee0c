"""`leaderboard schema`: the contract."""

from __future__ import annotations

import typer

from app.cli.terminal.output import examples, result


def add_to(program: typer.Typer) -> None:
    """Register the command."""
    program.command(epilog=examples("leaderboard schema > schema.graphql"))(schema)


def schema() -> None:
    """Print the GraphQL schema in SDL on standard output."""
    from app.graphql import print_sdl

    result(print_sdl())
