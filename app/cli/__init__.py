"""The command line: `leaderboard`, or `python -m app.cli`. One module per command, thin over the services.

Every module here is imported to print a line of help, so what a command works with is imported by the command itself:
`leaderboard --help` and `leaderboard token` answer at once.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that the arguments of the process name, and end the process with its exit code."""
    from app.cli.program import run

    sys.exit(run(sys.argv[1:]))
