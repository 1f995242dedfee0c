"""Create the server objects of a data folder."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path
from typing import Protocol

from app.embedded.errors import EmbeddedError
from app.embedded.os_user import OsUser
from app.embedded.paths import (
    base_folder,
    choose_base_folder,
    postgres_programs,
    redis_program,
    write_private,
)
from app.embedded.postgres import PostgresServer
from app.embedded.redis import RedisServer


class Server(Protocol):
    """A server that may be started again after it has ended, for whatever reason."""

    port: int | None
    process: subprocess.Popen[bytes] | None

    @property
    def url(self) -> str:
        """Its URL, including the password; valid once the server has been started."""

    @property
    def is_running(self) -> bool:
        """Whether its main process is running."""

    def start(self, port: int | None = None) -> None:
        """Start on `port`, or on a free port.

        Raises:
            EmbeddedError: The server does not start.
        """

    def stop(self) -> None:
        """Stop the server gracefully, or by SIGKILL if that fails."""


def make_server(data: Path, name: str) -> Server:
    """Return the server `postgres` or `redis` of the folder `data`, not yet started.

    The caller must be the only one that uses `data`.

    Raises:
        EmbeddedError: There is no program for the server, or no user that could run it.
    """
    os_user = OsUser.for_cluster(base_folder(data) / "postgres")
    base = choose_base_folder(data, os_user)
    cluster, log = base / "postgres", data / f"{name}.log"
    password = _load_or_create_password(base / "password", cluster)
    if name == "redis":
        return RedisServer(redis_program(base, os_user), os_user, log, password)
    return PostgresServer(postgres_programs(base, os_user), cluster, os_user, log, password)


def _load_or_create_password(file: Path, cluster: Path) -> str:
    if not file.exists():
        if cluster.exists():
            raise EmbeddedError(f"the password file of {cluster} is missing: restore {file}, or delete {cluster}")
        write_private(file, secrets.token_urlsafe(24))
    return file.read_text()
