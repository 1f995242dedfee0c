"""Print errors as one line on standard error, without a traceback."""

from __future__ import annotations

import os
import sys

FAILED = 1
INTERRUPTED = 130


class CommandError(Exception):
    """A command failed. The text is one line: the cause, and the remedy where there is one."""


def print_error(line: str) -> None:
    """Write one line to standard error."""
    print(f"leaderboard: {line}", file=sys.stderr)  # noqa: T201


def report_error(error: Exception) -> int:
    """Print an error and return the exit code; with LOG_LEVEL=DEBUG, raise an unexpected error again."""
    problems = getattr(error, "problems", None)  # of a SettingsError; importing its module takes long
    if problems:
        for problem in problems:
            print_error(problem)
    elif type(error).__module__.startswith("app."):
        print_error(str(error))
    elif os.environ.get("LOG_LEVEL", "").upper() == "DEBUG":
        raise error
    else:
        text = " ".join(str(error).split()) or "no details"
        print_error(f"{type(error).__name__}: {text[:300]} (set LOG_LEVEL=DEBUG for the traceback)")
    return FAILED
