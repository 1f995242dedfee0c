"""Run the programs of PostgreSQL, with errors of one line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.cli.terminal.errors import CommandError
from app.postgresql.url import DatabaseUrl

CONNECT_TIMEOUT = 20
"""Seconds that connecting may take."""
_VERSION_TIMEOUT = 20


@dataclass(frozen=True, slots=True)
class Tools:
    """The programs of PostgreSQL.

    Attributes:
        folder: Where they are; None for PATH.
        timeout: Seconds that each run may take.
    """

    folder: Path | None
    timeout: float

    def require(self, names: Sequence[str], major: int) -> None:
        """Check that programs exist and are not older than a server of this major version.

        Raises:
            CommandError: One is missing or too old.
        """
        for name in names:
            answer = self._run([self._path(name), "--version"], {}, _VERSION_TIMEOUT)
            found = re.search(r"\(PostgreSQL\) (\d+)", answer)
            if found is None or int(found[1]) < major:
                raise CommandError(
                    f"{name} must be of PostgreSQL {major} or newer, as the server is, and {self._path(name)} is "
                    f"{answer.strip()}: install the client programs, or name their folder with --tools"
                )

    def run(self, name: str, arguments: Sequence[str | Path], url: DatabaseUrl | None = None) -> None:
        """Run a program to its end, with a connection to `url`.

        Raises:
            CommandError: It fails, or takes too long. The text has the reason that it printed.
        """
        environment = {}
        command: list[str | Path] = [self._path(name), *arguments]
        if url is not None:
            command += [f"--dbname={connection_string(url)}", "--no-password"]
            environment = {"PGPASSWORD": url.password} if url.password else {}
        self._run(command, environment, self.timeout)

    def _path(self, name: str) -> str:
        path = shutil.which(name, path=None if self.folder is None else str(self.folder))
        if path is None:
            where = "PATH" if self.folder is None else str(self.folder)
            raise CommandError(
                f"{name} is not in {where}: install the client programs of PostgreSQL, or name "
                "their folder with --tools"
            )
        return path

    def _run(self, command: Sequence[str | Path], environment: dict[str, str], timeout: float) -> str:
        name = Path(command[0]).name
        try:
            ended = subprocess.run(
                command,
                env=os.environ | {"LC_ALL": "C"} | environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CommandError(f"{name} was ended, since it took longer than {timeout:,.0f} s (--timeout)") from None
        except OSError as error:
            raise CommandError(f"{command[0]} cannot be executed: {error.strerror}") from error
        if ended.returncode != 0:
            raise CommandError(_reason(name, ended.stderr, ended.returncode))
        return ended.stdout


def _reason(name: str, output: str, code: int) -> str:
    """Return the error that a program printed first, as later ones follow from it."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line or "FATAL" in line]
    line = (errors or lines[-1:] or [f"it printed nothing, and ended with code {code}"])[0]
    return line if line.startswith(name) else f"{name}: {line}"


def connection_string(url: DatabaseUrl) -> str:
    """Return the address as libpq reads it, without the password: all users can read the arguments of a process."""
    parts = {
        "host": ",".join(host for host, _ in url.hosts),
        "port": ",".join(str(port) for _, port in url.hosts),
        "user": url.user,
        "dbname": url.database,
        "target_session_attrs": url.target,
        "connect_timeout": str(CONNECT_TIMEOUT),
        "application_name": "leaderboard backup",
        **dict(url.tls),
    }
    if url.uses_system_roots:
        parts |= {"sslmode": "verify-full", "sslrootcert": "system"}
    return " ".join(f"{name}='{_escape(value)}'" for name, value in parts.items() if value is not None)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
