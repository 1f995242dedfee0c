"""The program: all commands under one name, and what happens when one fails."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from app.cli.commands import (
    archives,
    catalogue,
    dev,
    jobs,
    migrate,
    play,
    rebuild,
    schema,
    seed,
    serve,
    token,
    top,
    verify,
    watch,
)
from app.cli.terminal.errors import FAILED, INTERRUPTED, print_error, report
from app.cli.terminal.output import help_without_command, result

MODULES = (dev, serve, migrate, seed, token, play, watch, top, verify, rebuild, jobs, catalogue, archives, schema)


def build() -> typer.Typer:
    """The command line with all of its commands."""
    program = typer.Typer(
        name="leaderboard",
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @program.callback(invoke_without_command=True)
    def overview(
        context: typer.Context,
        version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
    ) -> None:
        """A real-time leaderboard: run it, add demo data, watch it, verify it."""
        if version:
            result(f"leaderboard {importlib.metadata.version('leaderboard')}")
            raise typer.Exit
        help_without_command(context)

    for module in MODULES:
        module.add_to(program)
    return program


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code."""
    try:
        code = build()(args=list(arguments), prog_name="leaderboard", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except TyperException as misuse:
        context = getattr(misuse, "ctx", None)
        where = context.command_path if context else "leaderboard"
        print_error(f"{misuse.format_message()} (see {where} --help)")
        return misuse.exit_code
    except (KeyboardInterrupt, Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe. Redirect stdout, because the interpreter flushes it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        return report(error)
