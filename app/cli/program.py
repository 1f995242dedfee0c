"""The program `leaderboard`: its commands, exit codes and the handling of errors."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from app.cli.commands import (
    archive_months,
    archives,
    backup,
    catalogue,
    dev,
    doctor,
    events,
    jobs,
    keys,
    migrate,
    play,
    rebuild,
    schema,
    seed,
    serve,
    split,
    token,
    top,
    verify,
    watch,
)
from app.cli.terminal.errors import FAILED, INTERRUPTED, print_error, report_error
from app.cli.terminal.output import help_without_command, print_result

MODULES = (
    dev,
    serve,
    migrate,
    doctor,
    seed,
    token,
    keys,
    play,
    watch,
    top,
    verify,
    rebuild,
    split,
    jobs,
    catalogue,
    events,
    archives,
    archive_months,
    backup,
    schema,
)


def build_program() -> typer.Typer:
    """Return the program with all commands."""
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
        """Run a real-time leaderboard, add demo data, watch it, verify it."""
        if version:
            print_result(f"leaderboard {importlib.metadata.version('leaderboard')}")
            raise typer.Exit
        help_without_command(context)

    for module in MODULES:
        module.add_to(program)
    return program


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        code = build_program()(args=list(arguments), prog_name="leaderboard", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except TyperException as usage_error:
        context = getattr(usage_error, "ctx", None)
        command = context.command_path if context else "leaderboard"
        print_error(f"{usage_error.format_message()} (see {command} --help)")
        return usage_error.exit_code
    except (KeyboardInterrupt, Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe. Redirect stdout, because the interpreter flushes it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        return report_error(error)
