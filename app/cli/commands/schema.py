"""`leaderboard schema`: print the GraphQL schema."""

from __future__ import annotations

import typer

from app.cli.terminal.output import examples, print_result


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(epilog=examples("leaderboard schema > schema.graphql"))(schema)


def schema() -> None:
    """Print the GraphQL schema in SDL on standard output."""
    from app.graphql import print_sdl

    print_result(print_sdl())
