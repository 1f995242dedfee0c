"""Redis and PostgreSQL of the machine with TLS. The servers of the packages for development are built without it."""

from __future__ import annotations

import asyncio
import shutil
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest
import trustme
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.embedded.os_user import OsUser
from app.embedded.process import free_port, spawn, stop
from tests.support.stores import private_folder
from tests.support.wait_until import TIMEOUT, until_answer

PASSWORD = "a-password-of-the-tests"

REDIS = shutil.which("redis-server") or shutil.which("redis-check-rdb")
"""The server; in Debian `redis-check-rdb`, of the package without a daemon, is the same program by another name."""
needs_redis = pytest.mark.skipif(
    REDIS is None, reason="redis-tools is not installed: apt-get install redis-tools, or `make test-deps` as root"
)

POSTGRESQL = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
"""The folder of the newest PostgreSQL of the machine."""
needs_postgresql = pytest.mark.skipif(
    POSTGRESQL is None, reason="postgresql is not installed: apt-get install postgresql, or `make test-deps` as root"
)


class Certificates:
    """A certificate authority, and a certificate for `localhost` that only `user` can read the key of."""

    def __init__(self, folder: Path, user: OsUser) -> None:
        self.authority = folder / "authority.pem"
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        issued = authority.issue_cert("localhost")
        for part in issued.cert_chain_pems:
            part.write_to_path(self.certificate, append=True)
        issued.private_key_pem.write_to_path(self.key)
        self.key.chmod(0o600)
        for path in (self.authority, self.certificate, self.key):
            user.take_ownership(path)


@asynccontextmanager
async def redis_with_tls(user_rules: str) -> AsyncIterator[tuple[str, Path]]:
    """Run a Redis that answers with TLS only; yield its URL and the file of its authority.

    Args:
        user_rules: The rules of the user `leaderboard`, as of `ACL SETUSER`.
    """
    with private_folder() as folder:
        user = OsUser.for_cluster(folder / "none")
        certificates = Certificates(folder, user)
        program, port = folder / "redis-server", free_port()
        assert REDIS is not None
        program.symlink_to(REDIS)
        settings = folder / "redis.conf"
        settings.write_text(
            f"port 0\ntls-port {port}\nbind 127.0.0.1\nsave ''\ntls-auth-clients no\n"
            f"tls-cert-file {certificates.certificate}\ntls-key-file {certificates.key}\n"
            f"tls-ca-cert-file {certificates.authority}\n"
            f"user default on nopass -@all +ping\nuser leaderboard on >{PASSWORD} {user_rules}\n"
        )
        user.take_ownership(settings)
        process = spawn([program, settings], user, folder / "redis.log")
        url = f"rediss://leaderboard:{PASSWORD}@localhost:{port}/0"
        try:
            await until_answer(lambda: _redis_answers(f"{url}?ssl_ca_certs={certificates.authority}"), bool)
            yield url, certificates.authority
        finally:
            await asyncio.to_thread(stop, process, signal.SIGTERM, signal.SIGKILL)


@asynccontextmanager
async def postgresql_with_tls() -> AsyncIterator[tuple[str, Path]]:
    """Run a PostgreSQL that accepts connections with TLS only; yield its URL and the file of its authority."""
    assert POSTGRESQL is not None
    with private_folder() as folder:
        user = OsUser.for_cluster(folder / "none")
        certificates = Certificates(folder, user)
        data, password, port = folder / "data", folder / "password", free_port()
        password.write_text(PASSWORD)
        data.mkdir(mode=0o700)
        for path in (data, password):
            user.take_ownership(path)
        created = spawn(
            [POSTGRESQL / "initdb", "-D", data, "-U", "leaderboard", f"--pwfile={password}", "--auth=scram-sha-256",
             "--encoding=UTF8", "--locale=C", "--no-sync"],
            user, folder / "initdb.log",
        )  # fmt: skip
        assert await asyncio.to_thread(created.wait, TIMEOUT) == 0, (folder / "initdb.log").read_text()
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        options = {
            "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off", "ssl": "on",
            "ssl_cert_file": certificates.certificate, "ssl_key_file": certificates.key, "max_connections": 200,
        }  # fmt: skip
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        process = spawn([POSTGRESQL / "postgres", "-D", data, *arguments], user, folder / "postgres.log")
        url = f"postgresql://leaderboard:{PASSWORD}@localhost:{port}/postgres"
        context = ssl.create_default_context(cafile=certificates.authority)
        try:
            await until_answer(lambda: _postgresql_answers(url, context), bool)
            yield url, certificates.authority
        finally:
            await asyncio.to_thread(stop, process, signal.SIGINT, signal.SIGQUIT)


async def _redis_answers(url: str) -> bool:
    with suppress(RedisError, OSError):
        async with Redis.from_url(url, socket_timeout=10) as client:
            return bool(await client.ping())
    return False


async def _postgresql_answers(url: str, context: ssl.SSLContext) -> bool:
    with suppress(asyncpg.PostgresError, OSError):
        connection = await asyncpg.connect(url, ssl=context, timeout=10)
        await connection.close(timeout=10)
        return True
    return False
