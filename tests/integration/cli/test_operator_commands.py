"""The commands `catalogue`, `export`, `import`, `archive` and `doctor`, as an operator types them."""

import codecs
import gzip
import json
import socket
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio
import yaml

from app.config import Settings
from tests.integration.cli.conftest import Leaderboard
from tests.support.boards.ledgers import award, rows, scores
from tests.support.manual_clock import WallClock
from tests.support.service import caller, opened
from tests.support.stores import Databases
from tests.support.wait_until import until
from tests.support.webhook import running_webhook

RACES = """
categories:
  - id: races
    name: Races
    sortOrder: LOW_FIRST
    operator: BEST
    periods: [WEEKLY]
actions:
  - id: WIN_RACE
    name: Win a race
    category: races
    points: 100
    difficulties: {easy: 10}
    dailyLimit: 5
"""


async def test_a_catalogue_is_applied_and_shown_as_it_was_written(
    leaderboard: Leaderboard, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "catalogue.yaml"
    file.write_text(RACES)
    async with opened(settings) as app:
        assert await leaderboard("catalogue", "apply", file, "--reason", "Winter season") == 0
        assert "Created the category races" in capsys.readouterr().out
        await until(lambda: "races" in app.catalogue.current.categories)
        (change, *_) = await rows(app, "SELECT actor_id, actor_role, reason FROM catalogue_changes")
        assert tuple(change) == (None, "operator", "Winter season")
    assert await leaderboard("catalogue", "show") == 0
    shown = capsys.readouterr().out
    documents = yaml.safe_load(shown)
    (races,) = [one for one in documents["categories"] if one["id"] == "races"]
    assert (races["sortOrder"], races["periods"]) == ("LOW_FIRST", ["ALL_TIME", "WEEKLY"])
    file.write_text(shown)
    assert await leaderboard("catalogue", "apply", file) == 0
    assert "Nothing to change" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("categories: [{id: Bad, name: Bad}]", "category Bad: `id` must match"),
        ("actions: [{id: A, name: A, points: 500}]", "action A: `points` must be a whole number from 1 to 100"),
        ("kategories: []", "the file must have categories and actions"),
        ("categories: {id: races}", "`categories` must be a list of objects"),
        ("categories: [", "catalogue.yaml"),
        ("", "the file must have categories and actions"),
    ],
)
async def test_a_file_that_is_not_right_is_explained_in_a_line(
    leaderboard: Leaderboard, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, complaint: str
):
    file = tmp_path / "catalogue.yaml"
    file.write_text(content)
    assert await leaderboard("catalogue", "apply", file) == 1
    said = capsys.readouterr().err
    assert complaint in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["backup.jsonl", "backup.jsonl.gz"])
async def test_what_is_exported_can_be_imported_into_another_database(
    leaderboard: Leaderboard,
    settings: Settings,
    databases: Databases,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
):
    async with opened(settings) as app:
        for number in range(20):
            await award(app, caller(f"user {number}"), 10 + number)
        here = await scores(app)
    file = tmp_path / name
    assert await leaderboard("export", file) == 0
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing half-written is left"
    assert file.stat().st_mode & 0o077 == 0, "addresses of players are nobody else's business"
    content = gzip.decompress(file.read_bytes()) if name.endswith(".gz") else file.read_bytes()
    assert content.count(b'{"transaction"') == 20
    if name == "backup.jsonl":
        file.write_bytes(codecs.BOM_UTF8 + content + b"\n")  # an editor saved it

    url = await databases.create()
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("REDIS_PREFIX", f"{settings.redis_prefix}-other")
    assert await leaderboard("import", file) == 0
    assert "20 transaction" in capsys.readouterr().out
    assert await leaderboard("import", file) == 0
    assert "nothing" in capsys.readouterr().out
    assert await leaderboard("verify") == 0, "Redis was rebuilt, too"
    there = settings.model_copy(update={"database_url": url, "redis_prefix": f"{settings.redis_prefix}-other"})
    async with opened(there) as app:
        assert await scores(app) == here
    await databases.drop(url)


async def test_a_torn_archive_is_explained_in_a_line(
    leaderboard: Leaderboard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "backup.jsonl"
    assert await leaderboard("export", file) == 0
    file.write_bytes(file.read_bytes()[:-20])
    assert await leaderboard("import", file) == 1
    assert "leaderboard: line" in capsys.readouterr().err


async def test_a_board_of_another_system_is_opened(
    leaderboard: Leaderboard, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "old-board.csv"
    file.write_text("user,username,score\n" + "".join(f"player-{n},Player {n},{n}\n" for n in range(1, 1501)))
    assert await leaderboard("import", "--opening", file, "--category", "arcade") == 0
    assert "1,500 balances" in capsys.readouterr().out
    assert await leaderboard("import", "--opening", file, "--category", "arcade") == 0
    assert "0 balances (1,500 were known)" in capsys.readouterr().out
    assert await leaderboard("top", "--category", "arcade", "--limit", "1") == 0
    assert "Player 1500" in capsys.readouterr().out
    assert await leaderboard("verify") == 0


async def test_invalid_lines_are_all_reported_and_skipped_on_request(
    leaderboard: Leaderboard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "OLD.CSV"
    file.write_text("user,score,reached_at\nann,lots,\nbob,5,1969-01-01T00:00:00Z\ncat,7,\n\n", "utf-16")
    assert await leaderboard("import", "--opening", file) == 1
    told = capsys.readouterr().err
    assert "OLD.CSV, line 2: `score` must be a whole number" in told
    assert "OLD.CSV, line 3: `reached_at` must be a time from 1970" in told
    assert "2 of 3 lines are not valid, so nothing was imported" in told
    assert await leaderboard("import", "--opening", file, "--skip-invalid") == 0
    assert "1 balances (0 were known, 2 lines skipped)" in capsys.readouterr().out
    file.write_bytes(b"")
    assert await leaderboard("import", "--opening", file, "--skip-invalid") == 1
    assert "the file is empty" in capsys.readouterr().err


async def test_months_are_archived_and_their_files_verified(
    leaderboard: Leaderboard, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    async with opened(settings, WallClock(datetime(2025, 1, 15, tzinfo=UTC))) as app:
        await award(app, caller("alice"), 10)
        await award(app, caller("alice"), 20)
    assert await leaderboard("archive", tmp_path, "--before", "2025-02") == 0
    assert "2025-01: 2 transactions in" in capsys.readouterr().out
    file = tmp_path / "ledger-2025-01.jsonl.gz"
    assert await leaderboard("verify", "--archive", file) == 0
    assert await leaderboard("verify") == 0
    assert await leaderboard("archive", tmp_path, "--before", "2025-02") == 0
    assert "There is no month to archive" in capsys.readouterr().out
    file.write_bytes(file.read_bytes()[:-1])
    assert await leaderboard("verify", "--archive", file) == 1
    assert "SHA-256" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("archive", "."), "TRANSACTION_RETENTION_MONTHS must be set, or --before must be given"),
        (("archive", ".", "--before", "soon"), "--before must be a month"),
        (("archive", ".", "--before", "2999-01"), "The first month that is kept must be"),
        (("verify", "--archive"), "--archive and at least one month file must be given together"),
    ],
)
async def test_wrong_arguments_of_archive_are_explained(
    leaderboard: Leaderboard, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], problem: str
):
    assert await leaderboard(*arguments) != 0
    assert problem in " ".join(capsys.readouterr().err.split())


async def test_the_doctor_finds_nothing_wrong_with_an_installation_that_works(
    leaderboard: Leaderboard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    async with running_webhook() as webhook:
        monkeypatch.setenv("VERIFIER_WEBHOOK_URL", webhook.url)
        monkeypatch.setenv("VERIFIER_WEBHOOK_SECRET", "w" * 40)
        assert await leaderboard("doctor", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert {finding["check"] for finding in report["findings"] if finding["status"] == "ok"} >= {
        "version", "environment", "PostgreSQL", "migrations", "PostgreSQL connections", "clock of PostgreSQL",
        "advisory locks", "Redis", "Redis memory", "Redis persistence", "clock of Redis", "webhook",
    }  # fmt: skip


async def test_the_doctor_says_what_is_wrong_and_what_to_do(
    leaderboard: Leaderboard, settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    variables = {
        "DB_POOL_MAX": "5000",
        "JWT_SECERT": "x",
        "VELOCITY_FLAG": "3",
        "JWT_ISSUER": "https://login.example",
        "JWT_JWKS_URL": "http://127.0.0.1:9/keys",
        "DATABASE_REPLICA_URLS": str(settings.database_url),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with redis.asyncio.Redis.from_url(str(settings.redis_url), socket_timeout=5) as client:
        await client.config_set("maxmemory-policy", "volatile-ttl")
        try:
            assert await leaderboard("doctor") == 1
        finally:
            await client.config_set("maxmemory-policy", "noeviction")
    shown = capsys.readouterr().out
    for sentence in (
        "! environment: JWT_SECERT has no effect",
        "→ did you mean JWT_SECRET?",
        "it is a member of FRAUD_THRESHOLDS",
        "✗ PostgreSQL connections: an instance may open 5008 connections",
        "it is not used: it is not a standby",
        "! Redis memory: maxmemory-policy is volatile-ttl",
        "✗ keys of https://login.example: Connect",
        "→ check JWT_ISSUER and JWT_JWKS_URL",
    ):
        assert sentence in shown


async def test_the_doctor_names_the_version_that_can_use_the_database(
    leaderboard: Leaderboard, settings: Settings, capsys: pytest.CaptureFixture[str]
):
    connection = await asyncpg.connect(str(settings.database_url).replace("+asyncpg", ""), timeout=10)
    await connection.execute("UPDATE alembic_version SET version_num = '9999_from_the_future'")
    await connection.close()
    assert await leaderboard("doctor") == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "✗ migrations: the database is at revision 9999_from_the_future, which this version does not have" in shown
    assert "→ run the version that has migrated it, or check DATABASE_URL" in shown


async def test_the_doctor_waits_for_no_server_and_lists_all_problems_of_the_settings(
    leaderboard: Leaderboard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("DATABASE_URL", f"postgresql://{address}/leaderboard")
        monkeypatch.setenv("REDIS_URL", f"redis://{address}")
        assert await leaderboard("doctor", "--timeout", "0.2") == 1
    shown = capsys.readouterr().out
    for check in ("PostgreSQL", "migrations", "advisory locks", "Redis", "clock of Redis"):
        assert f"✗ {check}: no answer within 0.2 s" in shown
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("PORT", "high")
    assert await leaderboard("doctor") == 1
    shown = capsys.readouterr().out
    assert "✗ settings: LOG_LEVEL: must be one of" in shown
    assert "✗ settings: PORT: " in shown
