"""Instances of the service, of this version or of an earlier commit, which are replaced one after the other."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

CHECKOUT = Path(__file__).resolve().parents[2]
START_TIMEOUT = 120.0
STOP_TIMEOUT = 20.0


class InstanceFailed(Exception):
    """An instance did not start or stop as it must."""


class Instance:
    """One instance, which keeps its port when it is replaced.

    Args:
        environment: The settings.
        log: The file for its log.
    """

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, checkout: Path = CHECKOUT) -> None:
        """Start the code of a checkout, and wait until it is ready. Raises InstanceFailed."""
        variables = {**self._environment, "HOST": "127.0.0.1", "PORT": str(self.port)}
        with self._log.open("ab") as log:
            self._process = run_code(checkout, ["serve"], variables, log.fileno())
        deadline = time.monotonic() + START_TIMEOUT
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (URLError, OSError):
                time.sleep(0.05)
        raise InstanceFailed(self._log.read_text(errors="replace")[-4000:])

    def stop(self) -> float:
        """Ask it to end, as every deployment does, and return the seconds until it has ended. Raises InstanceFailed."""
        if self._process is None or self._process.poll() is not None:
            raise InstanceFailed(self._log.read_text(errors="replace")[-4000:])
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise InstanceFailed(f"it did not end within {STOP_TIMEOUT:g} s") from None
        return time.monotonic() - began

    def kill(self) -> None:
        """Kill it, if it is running."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT)


def run_code(
    checkout: Path, arguments: list[str], environment: Mapping[str, str], log: int | None = None
) -> subprocess.Popen[bytes]:
    """Run a command of the program `leaderboard` with the code of a checkout."""
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=checkout,
        env=os.environ | environment | {"PYTHONPATH": str(checkout)},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )


def migrate(checkout: Path, environment: Mapping[str, str]) -> None:
    """Bring the database to the newest revision of a checkout. Raises InstanceFailed."""
    if run_code(checkout, ["migrate"], environment).wait(600) != 0:
        raise InstanceFailed(f"the migrations of {checkout} failed")


def commit_before_newest_migration() -> str:
    """Return the commit before the one that added the newest migration: the last one with the schema before it."""
    newest = max((CHECKOUT / "migrations" / "versions").glob("*.py"))
    # Of a merge, the first parent is what was there before.
    return _git("log", "-1", "--first-parent", "-m", "--format=%H^", "--diff-filter=A", "--", str(newest))


@contextmanager
def checkout_of(commit: str) -> Iterator[Path]:
    """Check a commit out to a temporary folder during the block."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "checkout"
        _git("worktree", "add", "--detach", str(path), commit)
        try:
            yield path
        finally:
            _git("worktree", "remove", "--force", str(path))


def describe(commit: str) -> str:
    """Return the short name and the date of a commit."""
    return _git("log", "-1", "--format=%h of %cs", commit)


def _git(*arguments: str) -> str:
    ended = subprocess.run(
        ["git", "-C", str(CHECKOUT), *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return ended.stdout.strip()
