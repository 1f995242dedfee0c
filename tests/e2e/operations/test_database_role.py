"""docker/postgres/primary.sh: the role of the service is no superuser, and all of the service works with it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from app.config import Settings
from app.embedded.os_user import OsUser
from app.embedded.paths import postgres_programs
from app.embedded.postgres import PostgresServer
from app.embedded.servers import make_server
from tests.support.processes.cli_process import environment, run
from tests.support.processes.postgres_standby import execute
from tests.support.service import caller, opened, settings_for
from tests.support.stores import private_folder

SCRIPT = Path(__file__).parents[3] / "docker" / "postgres" / "primary.sh"
PASSWORD = "a password of the tests"
FORBIDDEN = ("CREATE ROLE another", "CREATE DATABASE another", "SELECT * FROM pg_authid", "ALTER SYSTEM RESET ALL")


@pytest.fixture
async def server() -> AsyncIterator[PostgresServer]:
    """A cluster in which the script has run. Its own superuser is called leaderboard, so the role has another name."""
    with private_folder() as folder:
        server = make_server(folder, "postgres")
        assert isinstance(server, PostgresServer)
        await asyncio.to_thread(server.start)
        url = make_url(server.url)
        password = folder / "password"
        password.write_text(f"{PASSWORD}\n")
        variables = {
            "PATH": f"{postgres_programs(folder, OsUser.for_cluster(folder / 'none'))}:/usr/bin:/bin",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(url.port),
            "PGPASSWORD": url.password or "",
            "PGDATA": str(folder),
            "POSTGRES_USER": url.username or "",
            "SERVICE_ROLE": "service",
            "SERVICE_DATABASE": "boards",
            "SERVICE_PASSWORD_FILE": str(password),
            "REPLICATION_PASSWORD_FILE": str(password),
        }
        await asyncio.to_thread(subprocess.run, ["sh", SCRIPT], env=variables, check=True, timeout=60)
        assert "replicator" in (folder / "pg_hba.conf").read_text()
        yield server
        await asyncio.to_thread(server.stop)


@pytest.fixture
def limited(server: PostgresServer, redis_url: str) -> Settings:
    url = make_url(server.url).set(username="service", password=PASSWORD, database="boards")
    return settings_for(url.render_as_string(hide_password=False), redis_url)


async def test_the_role_can_migrate_serve_run_all_jobs_and_verify(limited: Settings):
    migrated = await run("migrate", env=environment(limited))
    assert migrated.code == 0, migrated.err
    async with opened(limited) as app:
        who = caller()
        await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)
        for job in app.jobs.all:
            await app.jobs.run_one(job.name)
    verified = await run("verify", env=environment(limited))
    assert verified.code == 0, verified.out
    doctor = await run("doctor", "--json", env=environment(limited))
    texts = [finding["text"] for finding in json.loads(doctor.out)["findings"] if finding["status"] != "ok"]
    assert not [text for text in texts if "superuser" in text]
    assert doctor.code == 0, doctor.out


async def test_the_role_may_do_nothing_else(limited: Settings):
    url = str(limited.database_url)
    for statement in (
        "CREATE ROLE another",
        "CREATE DATABASE another",
        "SELECT * FROM pg_authid",
        "ALTER SYSTEM RESET ALL",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await execute(url, statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await execute(make_url(url).set(database="postgres").render_as_string(hide_password=False), "SELECT 1")
