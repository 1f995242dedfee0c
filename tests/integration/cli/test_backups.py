"""The commands `backup` and `restore`, as an operator types them: what they write, and the errors of one line."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url, text

from app.cli.doctor.postgresql import PostgresChecks
from app.config import Settings
from app.config.settings import Environment
from app.embedded.os_user import OsUser
from app.embedded.paths import postgres_programs
from app.runtime import Runtime
from app.stores.statistics import LastBackup
from tests.support.boards.ledgers import award
from tests.support.processes.archiving_postgres import SCRIPT, ArchivingPostgres, archiving_postgres
from tests.support.processes.cli_process import CommandResult, environment, run
from tests.support.service import caller, opened, settings_for

NO_REDIS = "redis://127.0.0.1:1/0"
"""Backups need no Redis."""


@pytest.fixture(scope="module")
async def backed_up() -> AsyncIterator[ArchivingPostgres]:
    async with archiving_postgres() as server:
        settings = settings_for(server.url, NO_REDIS)
        async with opened(settings, housekeeping=False, loaded=False) as app:
            await award(app, caller(), 5)
        made = await leaderboard(settings, "backup", server.backups, "--tools", server.programs)
        assert made.code == 0, made.err
        (base,), (dump,) = ((server.backups / kind).iterdir() for kind in ("base", "dump"))
        assert [line.split(" ")[0] for line in made.out.splitlines()] == [str(base), str(dump)]
        yield server


async def leaderboard(settings: Settings, *arguments: object, **more: str) -> CommandResult:
    return await run(*map(str, arguments), env=environment(settings, **more), timeout=300)


async def last_backups(settings: Settings) -> Mapping[str, LastBackup]:
    """What the service exports as metrics."""
    async with opened(settings, housekeeping=False, loaded=False) as app:
        await app.store_statistics.read_backups()
        return {one.kind: one for one in app.store_statistics.backups}


def one_line(result: CommandResult) -> str:
    """The error of a command that failed."""
    assert result.code == 1, result
    (line,) = result.err.strip().splitlines()
    return line.removeprefix("leaderboard: ")


async def test_a_backup_has_both_kinds_is_recorded_and_can_be_loaded(backed_up: ArchivingPostgres):
    (dump,) = (backed_up.backups / "dump").iterdir()
    base = min((backed_up.backups / "base").iterdir())
    assert {path.name for path in (base / "cluster").iterdir()} == {"backup_manifest", "base.tar.gz", "pg_wal.tar.gz"}
    found = await last_backups(settings_for(backed_up.url, NO_REDIS))
    assert found.keys() == {"base", "dump"}
    assert all(one.succeeded_at for one in found.values())
    assert found["dump"].bytes == dump.stat().st_size

    url = make_url(backed_up.url).set(drivername="postgresql", database="loaded")
    await backed_up.ask("CREATE DATABASE loaded")
    address = url.render_as_string(hide_password=False)
    subprocess.run(
        [backed_up.programs / "pg_restore", "--exit-on-error", f"--dbname={address}", dump], check=True, timeout=120
    )
    connection = await asyncpg.connect(address, timeout=20, command_timeout=60)
    try:
        assert await connection.fetchval("SELECT count(*) FROM score_transactions") == 1
    finally:
        await connection.close(timeout=10)


async def test_a_base_backup_that_the_archive_does_not_get_fails_and_stays(backed_up: ArchivingPostgres):
    settings = settings_for(backed_up.url, NO_REDIS)
    command = await backed_up.ask("SHOW archive_command")
    await backed_up.ask("ALTER SYSTEM SET archive_command = 'false'")
    await backed_up.ask("SELECT pg_reload_conf()")
    before = {path.name for path in (backed_up.backups / "base").iterdir()}
    arguments = ("backup", backed_up.backups, "--only", "base", "--wait", 1, "--tools", backed_up.programs)
    failed = await leaderboard(settings, *arguments)
    assert ".gz did not come to " in one_line(failed)
    assert len({path.name for path in (backed_up.backups / "base").iterdir()} - before) == 1
    assert (await last_backups(settings))["base"].failed_at is not None
    await backed_up.ask(f"ALTER SYSTEM SET archive_command = '{str(command).replace(chr(39), chr(39) * 2)}'")
    await backed_up.ask("SELECT pg_reload_conf()")
    assert (await leaderboard(settings, *arguments[:4], "--tools", backed_up.programs)).code == 0


async def test_a_restore_refuses_a_folder_that_it_must_not_fill(backed_up: ArchivingPostgres, tmp_path: Path):
    arguments = ("restore", backed_up.backups)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "PG_VERSION").touch()
    full = await run(*map(str, arguments), str(tmp_path / "full"))
    assert one_line(full).startswith(f"{tmp_path / 'full'} must be empty: ")
    (tmp_path / "file").touch()
    assert "must be an empty folder" in one_line(await run(*map(str, arguments), str(tmp_path / "file" / "cluster")))
    wrong = await run(*map(str, arguments), str(tmp_path / "new"), "--to", "yesterday")
    assert one_line(wrong) == "--to must be an instant, such as 2026-11-30T14:55:00Z"
    if os.geteuid() == 0:
        of_root = await run(*map(str, arguments), str(tmp_path / "new"))
        assert "must belong to the user that PostgreSQL runs as, not to root" in one_line(of_root)


async def test_postgresql_cannot_start_from_a_damaged_base_backup(backed_up: ArchivingPostgres, tmp_path: Path):
    newest = max((backed_up.backups / "base").iterdir())
    file = newest / "cluster" / "base.tar.gz"
    content = gzip.decompress(file.read_bytes())
    at = content.index(b"autovacuum = ") if b"autovacuum = " in content else len(content) // 2
    damaged = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    original = file.read_bytes()
    try:
        file.write_bytes(gzip.compress(damaged, 1))
        target = backed_up.make_folder(backed_up.cluster.with_name("damaged"))
        ended = await run("restore", str(backed_up.backups), str(target), timeout=120)
        assert "is damaged" in one_line(ended)
        assert not (target / "PG_VERSION").exists()
    finally:
        file.write_bytes(original)


async def test_a_server_without_an_archive_is_only_dumped(settings: Settings, tmp_path: Path):
    programs = postgres_programs(tmp_path, OsUser.for_cluster(tmp_path / "none"))
    refused = await leaderboard(settings, "backup", tmp_path, "--tools", programs)
    assert one_line(refused).startswith("archive_mode of PostgreSQL must be on")
    assert len(list((tmp_path / "dump").iterdir())) == 1
    found = await last_backups(settings)
    assert (found["base"].succeeded_at, found["dump"].failed_at) == (None, None)
    assert found["base"].failed_at
    assert found["dump"].succeeded_at


async def test_the_doctor_says_when_a_database_of_production_was_last_backed_up(settings: Settings):
    production = settings.model_copy(update={"environment": Environment.PRODUCTION, "is_production": True})
    found = []
    async with opened(settings, housekeeping=False, loaded=False) as app:
        checks = PostgresChecks(production, app.database, app.replicas, Runtime())
        for statement in (
            "SELECT",
            "INSERT INTO backups (kind, succeeded_at) VALUES ('base', now() - interval '3 hours')",
            "UPDATE backups SET succeeded_at = now() - interval '27 hours'",
            "UPDATE backups SET failed_at = now()",
        ):
            async with app.database.begin() as connection:
                await connection.execute(text(statement))
            found += await checks.backups()
        assert "backups" in {check.name for check in checks.all()}
        assert "backups" not in {
            check.name for check in PostgresChecks(settings, app.database, app.replicas, Runtime()).all()
        }
    assert [(finding.status.value, finding.text) for finding in found] == [
        ("warning", "no backup has been recorded"),
        ("ok", "the last base is 3 hours old"),
        ("warning", "the last base is older than 26 hours"),
        ("warning", "the last base failed"),
    ]


async def test_a_role_that_must_not_replicate_is_named(settings: Settings, tmp_path: Path):
    connection = await asyncpg.connect(str(settings.database_url).replace("+asyncpg", ""), timeout=20)
    try:
        await connection.execute("CREATE ROLE reader LOGIN PASSWORD 'reader'")
        url = make_url(str(settings.database_url)).set(username="reader", password="reader")
        direct = url.render_as_string(hide_password=False)
        refused = await leaderboard(settings, "backup", tmp_path, "--only", "base", DATABASE_DIRECT_URL=direct)
        assert one_line(refused).startswith("the role reader must have the attribute REPLICATION")
    finally:
        await connection.execute("DROP ROLE reader")
        await connection.close(timeout=10)


async def test_programs_that_are_missing_or_too_old_are_named(settings: Settings, tmp_path: Path):
    tools = tmp_path / "tools"
    tools.mkdir()
    arguments = ("backup", tmp_path / "backups", "--only", "dump", "--tools", tools)
    assert one_line(await leaderboard(settings, *arguments)).startswith(f"pg_dump is not in {tools}: install ")
    (tools / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n")
    (tools / "pg_dump").chmod(0o755)
    line = one_line(await leaderboard(settings, *arguments))
    assert line.startswith("pg_dump must be of PostgreSQL ")
    assert "is pg_dump (PostgreSQL) 9.6.1" in line


async def test_what_a_program_complains_about_is_the_error_and_nothing_is_left(settings: Settings, tmp_path: Path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("pg_dump", "pg_restore"):
        # Stands for a disk that is full, which cannot be had without a file system of one's own.
        error = f"{name}: error: could not write to output file: No space left on device"
        (tools / name).write_text(
            f'#!/bin/sh\ncase $1 in --version) echo "{name} (PostgreSQL) 99.1";; *) echo "{error}" >&2; exit 1;; esac\n'
        )
        (tools / name).chmod(0o755)
    failed = await leaderboard(settings, "backup", tmp_path / "backups", "--only", "dump", "--tools", tools)
    assert one_line(failed) == "pg_dump: error: could not write to output file: No space left on device"
    assert list((tmp_path / "backups" / "dump").iterdir()) == []


def test_a_file_of_the_log_is_archived_once_and_never_replaced(tmp_path: Path):
    wal, archive = tmp_path / "000000010000000000000001", tmp_path / "archive"
    archive.mkdir()

    def archive_file(content: bytes) -> subprocess.CompletedProcess[str]:
        wal.write_bytes(content)
        command = ["sh", str(SCRIPT), str(wal), wal.name, str(archive)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert archive_file(b"first").returncode == 0
    assert archive_file(b"first").returncode == 0, "PostgreSQL may repeat a file"
    other = archive_file(b"other")
    assert other.returncode == 1
    assert "is there already, with other content" in other.stderr
    (file,) = archive.iterdir()
    assert gzip.decompress(file.read_bytes()) == b"first"
    archive_missing = subprocess.run(
        ["sh", str(SCRIPT), str(wal), wal.name, str(tmp_path / "none")], capture_output=True, timeout=60, check=False
    )
    assert archive_missing.returncode != 0
