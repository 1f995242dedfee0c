"""A server imports nothing that only other commands need: that memory would be taken by every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[4]

# The modules that `leaderboard serve` imports, in the same order.
SERVE = """
import sys
import app.cli.program
from app.cli.process.optional_imports import import_lean

import_lean()
import app.cli.process.listening, app.cli.process.stores, app.cli.process.workers
"""


def run_python(code: str) -> str:
    """Run Python code in a process of its own, and return what it prints."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        env={"PATH": os.defpath, "PYTHONPATH": str(CHECKOUT)},
        timeout=60,
        check=True,
    ).stdout


def test_a_server_does_not_import_what_only_other_commands_need():
    imported = run_python(SERVE + "print(*{name.partition('.')[0] for name in sys.modules})").split()
    assert {"structlog", "redis", "sqlalchemy"} <= set(imported)
    assert set(imported).isdisjoint({"alembic", "mako", "rich", "pygments", "opentelemetry"})


def test_what_libraries_were_imported_without_can_be_imported_afterwards():
    code = SERVE + "import rich.console, opentelemetry.trace; print(rich.console.Console(), opentelemetry.trace)"
    assert "console" in run_python(code)
