"""Run the PgBouncer of the machine in front of a PostgreSQL."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from app.embedded.os_user import OsUser
from app.embedded.process import free_port, spawn, stop, wait_until
from tests.support.stores import private_folder

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
needs_pgbouncer = pytest.mark.skipif(
    PROGRAM is None, reason="pgbouncer is not installed: apt-get install pgbouncer, or `make test-deps` as root"
)


@contextlib.contextmanager
def pgbouncer(database_url: str, *, pool_size: int = 5, mode: str = "transaction") -> Iterator[str]:
    """Run PgBouncer with the defaults of its package but the pool; yield the URL that leads through it."""
    url = make_url(database_url)
    assert PROGRAM is not None
    with private_folder() as folder:
        user = OsUser.for_cluster(folder / "none")
        port = free_port()
        users = folder / "userlist.txt"
        users.write_text(f'"{url.username}" "{url.password}"\n')
        settings = folder / "pgbouncer.ini"
        settings.write_text(
            f"""
            [databases]
            * = host={url.host} port={url.port}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = scram-sha-256
            auth_file = {users}
            pool_mode = {mode}
            default_pool_size = {pool_size}
            max_client_conn = 500
            """
        )
        for path in (users, settings):
            user.take_ownership(path)
        process = spawn([Path(PROGRAM), settings], user, folder / "pgbouncer.log")
        try:
            assert wait_until(lambda: _listens(port), 20), (folder / "pgbouncer.log").read_text()
            yield url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        finally:
            stop(process, signal.SIGINT, signal.SIGTERM)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
