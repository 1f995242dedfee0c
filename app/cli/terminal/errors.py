"""Errors as people read them: one clear line on standard error, never a traceback."""

from __future__ import annotations

import os
import sys

FAILED = 1
INTERRUPTED = 130


class CommandError(Exception):
    """The command cannot do what was asked. The text is one line: the cause, and the remedy where there is one."""


def print_error(line: str) -> None:
    """Write one line to standard error."""
    print(f"leaderboard: {line}", file=sys.stderr)  # noqa: T201


def report(error: Exception) -> int:
    """Say what went wrong; returns the exit code. With LOG_LEVEL=DEBUG an unexpected error shows where it came from."""
    problems = getattr(error, "problems", None)  # those of a SettingsError, whose module takes long to import
    if problems:
        for problem in problems:
            print_error(problem)
    elif type(error).__module__.startswith("app."):
        print_error(str(error))
    elif os.environ.get("LOG_LEVEL", "").upper() == "DEBUG":
        raise error
    else:
        text = " ".join(str(error).split()) or "no details"
        print_error(f"{type(error).__name__}: {text[:300]} (LOG_LEVEL=DEBUG shows where)")
    return FAILED
