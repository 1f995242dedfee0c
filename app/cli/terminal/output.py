"""What commands print: results on standard output, everything else on standard error."""

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
    """The end of a command's help: commands to copy."""
    return "\n\n".join(("[bold]Examples[/bold]", *(f"  [cyan]{line}[/cyan]" for line in lines)))


def help_without_command(context: typer.Context) -> None:
    """Print the help of a group of commands that is called without one of them; to be used as its callback."""
    if context.invoked_subcommand is None:
        context.get_help()  # rich prints it


def result(text: str) -> None:
    """Print what was asked for, and nothing else, so that it can be piped."""
    sys.stdout.write(text.rstrip("\n") + "\n")


def console(*, stderr: bool = False) -> Console:
    """A console for tables and colours; plain text where the output is no terminal."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar on standard error, with what is done, how fast, and how long it will take."""
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
