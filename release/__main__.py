"""Check that the last commit can be released as the version in pyproject.toml. Prints one line for each check.

    python -m release

It works on a clone of the last commit, so that nothing counts that is not committed, and changes nothing here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

from release import changelog, wheel

CHECKOUT = Path(__file__).resolve().parents[1]
STEP_TIMEOUT_SECONDS = 600


class Failed(Exception):
    """What must be the case, and is not."""


def run(*command: str | Path, cwd: Path) -> str:
    """Return what a command prints.

    Raises:
        Failed: It ended with an error, whose last lines are the message, or did not end in time.
    """
    try:
        ended = subprocess.run(
            [str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=STEP_TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"`{command[0]}` must end within {STEP_TIMEOUT_SECONDS} seconds.") from None
    if ended.returncode != 0:
        lines = (ended.stdout + ended.stderr).strip().splitlines()
        raise Failed("\n    ".join(lines[-10:]) or f"`{command[0]}` ended with {ended.returncode}.")
    return ended.stdout.strip()


class Release:
    """The checks of one clone, in the order in which they are made."""

    def __init__(self, clone: Path, scratch: Path) -> None:
        self.clone = clone
        self.scratch = scratch
        self.version: str = tomllib.loads((clone / "pyproject.toml").read_text())["project"]["version"]

    @property
    def checks(self) -> dict[str, Callable[[], None]]:
        """The checks by what they prove."""
        return {
            f"the changelog describes {self.version}": self.changelog,
            f"the tag v{self.version} is free": self.tag,
            "the lock files are current": self.locks,
            "the wheel has the page, the migrations and the scripts": self.build,
            "the wheel starts with the locked packages of the image": self.start,
            "the schema is current, and breaks nothing that is not declared": self.schema,
        }

    def changelog(self) -> None:
        """Check that the changes are in a section of the version."""
        self._none(changelog.problems((self.clone / "CHANGELOG.md").read_text(), self.version))

    def tag(self) -> None:
        """Check that the version was not released from another commit."""
        tagged = run("git", "tag", "--list", f"v{self.version}", "--format", "%(objectname)", cwd=CHECKOUT)
        if tagged and run("git", "rev-parse", f"v{self.version}^{{commit}}", cwd=CHECKOUT) != self._commit():
            raise Failed(f"v{self.version} is the tag of another commit: raise the version in pyproject.toml.")

    def locks(self) -> None:
        """Check that locking again changes nothing."""
        run("make", "lock", cwd=self.clone)
        if changed := run("git", "diff", "--name-only", "--", "locks", cwd=self.clone):
            raise Failed(f"`make lock` must change nothing, and changes {', '.join(changed.split())}.")

    def build(self) -> None:
        """Build the page and the wheel, and check what is in it."""
        run("make", "app/static/index.html", cwd=self.clone)
        run(
            sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", self.scratch, cwd=self.clone
        )
        self._none(wheel.problems(self._wheel(), self.clone))

    def start(self) -> None:
        """Install the wheel as the image does, and start it."""
        python = self.scratch / "venv/bin/python"
        run("uv", "venv", "--quiet", "--python", sys.executable, python.parents[1], cwd=self.scratch)
        install = ("uv", "pip", "install", "--quiet", "--python", python)
        run(*install, "--require-hashes", "-r", self.clone / "locks/image.txt", cwd=self.scratch)
        run(*install, "--no-deps", self._wheel(), cwd=self.scratch)
        printed = run(python.parent / "leaderboard", "--version", cwd=self.scratch)
        if printed != f"leaderboard {self.version}":
            raise Failed(f"`leaderboard --version` must print the version {self.version}, and prints: {printed}")

    def schema(self) -> None:
        """Compare the schema of the installed wheel with what is committed, and with the last release."""
        program = self.scratch / "venv/bin/leaderboard"
        if run(program, "schema", cwd=self.scratch) != (self.clone / "schema.graphql").read_text().strip():
            raise Failed("schema.graphql is not current: make schema")
        docs = self.clone / "docs"
        against = ("--against", docs / "schema-baseline.graphql", "--declared", docs / "schema-breaks.txt")
        run(program, "schema", *against, cwd=self.scratch)

    def _commit(self) -> str:
        return run("git", "rev-parse", "HEAD", cwd=self.clone)

    def _wheel(self) -> Path:
        return self.scratch / f"leaderboard-{self.version}-py3-none-any.whl"

    @staticmethod
    def _none(problems: list[str]) -> None:
        if problems:
            raise Failed("\n    ".join(problems))


def main() -> int:
    """Make all checks, also after one has failed, and return the exit code."""
    os.environ.pop("VIRTUAL_ENV", None)
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        clone, scratch = Path(folder, "clone"), Path(folder, "scratch")
        scratch.mkdir()
        run("git", "clone", "--quiet", "--no-hardlinks", CHECKOUT, clone, cwd=CHECKOUT)
        if run("git", "status", "--porcelain", cwd=CHECKOUT):
            print("! what is not committed is not checked")
        for name, check in Release(clone, scratch).checks.items():
            try:
                check()
            except Failed as failure:
                failures += 1
                print(f"✗ {name}\n    {failure}", flush=True)
            else:
                print(f"✓ {name}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
