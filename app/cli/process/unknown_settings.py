"""Warn of variables that look like settings and have no effect."""

from __future__ import annotations

from app.cli.terminal.errors import print_error
from app.config import unknown_settings


def warn_of_unknown_settings() -> None:
    """Print a line for each variable of the environment and `.env` that is probably a misspelt setting."""
    for name, advice in unknown_settings().items():
        print_error(f"{name} has no effect: {advice}")
