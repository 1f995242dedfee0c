"""Print results on standard output, and everything else on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


def examples(*lines: str) -> str:
    """Return the examples at the end of a command's help."""
    return "\n\n".join(("[bold]Examples[/bold]", *(f"  [cyan]{line}[/cyan]" for line in lines)))


def help_without_command(context: typer.Context) -> None:
    """Print the help of a group that is called without a command; for use as the callback of the group."""
    if context.invoked_subcommand is None:
        context.get_help()  # rich prints it


def print_result(text: str) -> None:
    """Print the result of a command, and nothing else, so that it can be piped."""
    sys.stdout.write(text.rstrip("\n") + "\n")


def print_note(text: str) -> None:
    """Print a line about what is being done on standard error, without what tables and colours would import."""
    sys.stderr.write(text + "\n")


def console(*, stderr: bool = False) -> Console:
    """Return a console for tables and colours; it prints plain text if the output is not a terminal."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show a progress bar on standard error during the block, with elapsed and remaining time."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console(stderr=True),
    ) as bar:
        yield bar
