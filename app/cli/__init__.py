"""The command line: `leaderboard`, or `python -m app.cli`.

Every module of `commands` is imported to print the help, so a command imports what it needs only when it is called.
This keeps `leaderboard --help` and `leaderboard token` fast.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command in the arguments of the process, and exit with its exit code."""
    from app.cli.program import run

    sys.exit(run(sys.argv[1:]))
