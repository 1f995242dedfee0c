"""The servers of one data folder, as objects that start and stop."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path
from typing import Protocol

from app.embedded import paths as places
from app.embedded.errors import EmbeddedError
from app.embedded.os_user import OsUser
from app.embedded.postgres import PostgresServer
from app.embedded.redis import RedisServer


class Server(Protocol):
    """A server that can be started again after it ended, for whatever reason."""

    port: int | None
    process: subprocess.Popen[bytes] | None

    @property
    def url(self) -> str:
        """Where it is, password included; valid once it has been started."""

    @property
    def running(self) -> bool:
        """Whether its main process lives."""

    def start(self, port: int | None = None) -> None:
        """Serve on `port`, else on a free one. Raises EmbeddedError when it does not come up."""

    def stop(self) -> None:
        """End it in good order; by force where that fails."""


def make_server(data: Path, name: str) -> Server:
    """The server `postgres` or `redis` of the folder `data`, not yet started.

    The caller holds `data` alone, or made it for this server. Raises EmbeddedError when there is no program for it,
    or nobody who could run it.
    """
    os_user = OsUser.for_cluster(places.base_folder(data) / "postgres")
    base = places.choose_base_folder(data, os_user)
    cluster, log = base / "postgres", data / f"{name}.log"
    password = _password(base / "password", cluster)
    if name == "redis":
        return RedisServer(places.redis_program(base, os_user), os_user, log, password)
    return PostgresServer(places.postgres_programs(base, os_user), cluster, os_user, log, password)


def _password(file: Path, cluster: Path) -> str:
    if not file.exists():
        if cluster.exists():
            raise EmbeddedError(f"the password file of {cluster} is missing: restore {file}, or delete {cluster}")
        places.write_private(file, secrets.token_urlsafe(24))
    return file.read_text()
