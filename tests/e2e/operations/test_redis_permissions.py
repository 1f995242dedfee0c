"""The permissions in Redis that docs/operations/redis.md names are enough, and a missing one is named in the log."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError
from structlog.testing import capture_logs

from app.config import Settings
from tests.support.processes.cli_process import environment, run
from tests.support.service import BOARD, serving
from tests.support.stores import BreakableServer
from tests.support.wait_until import until, until_answer

PAGE = Path(__file__).parents[3] / "docs" / "operations" / "redis.md"


def documented_rules() -> str:
    """Return the rules of the user, without its password."""
    found = re.search(r"^ACL SETUSER leaderboard on >password (.+)$", PAGE.read_text(), re.M)
    assert found is not None
    return found[1]


async def restricted(settings: Settings, redis_server: BreakableServer, *, without: str = "") -> Settings:
    """Create the user of the documentation, and return settings with it."""
    rules = documented_rules().replace("lb:", f"{settings.redis_prefix}:").split()
    assert not without or without in rules
    async with Redis.from_url(redis_server.url) as admin:
        await admin.execute_command(
            "ACL", "SETUSER", "leaderboard", "on", ">password", *(rule for rule in rules if rule != without)
        )
    url = re.sub(r"//:[^@]*@", "//leaderboard:password@", redis_server.url)
    return settings.model_copy(update={"redis_url": url, "rate_limit_enabled": True})


async def test_the_documented_permissions_are_enough(settings: Settings, redis_server: BreakableServer):
    async with serving(await restricted(settings, redis_server)) as service:
        assert (await service.player("alice").play("COMPLETE_LEVEL"))["currentRank"] == 1
        board = (await service.anonymous.ask(BOARD))["leaderboard"]
        assert board["source"] in ("MEMORY", "REDIS")
        ready = await until_answer(
            lambda: service.http.get("/readyz"), lambda reply: reply.json()["status"] == "ok", interval=0.1
        )
        assert all(ready.json()["checks"].values())
        for job in service.app.jobs.all:
            await service.app.jobs.run_one(job.name)


@pytest.mark.parametrize("command", ["rebuild", "verify", "doctor"])
async def test_the_documented_permissions_are_enough_for_commands(
    settings: Settings, redis_server: BreakableServer, command: str
):
    result = await run(command, env=environment(await restricted(settings, redis_server)))
    assert result.code == 0, result.out + result.err


async def test_the_documented_permissions_reach_no_other_keys_and_no_administration(
    settings: Settings, redis_server: BreakableServer
):
    url = (await restricted(settings, redis_server)).redis_url
    async with Redis.from_url(str(url)) as client:
        for command in ("GET other", "FLUSHALL", "CONFIG GET *", "KEYS *", "ACL LIST", "SHUTDOWN", "PUBLISH other x"):
            with pytest.raises(NoPermissionError):
                await client.execute_command(*command.split())


def test_the_compose_file_gives_the_documented_permissions(tmp_path: Path):
    script = PAGE.parents[2] / "docker" / "create-secrets.sh"
    subprocess.run(["sh", script, tmp_path / "secrets"], check=True, timeout=60)
    users = (tmp_path / "secrets" / "redis_users.acl").read_text()
    password = (tmp_path / "secrets" / "redis_password").read_text()
    assert f"user leaderboard on >{password} {documented_rules()}" in users.splitlines()


async def test_a_missing_permission_is_in_the_log_and_boards_come_from_postgresql(
    settings: Settings, redis_server: BreakableServer
):
    permitted = await restricted(settings, redis_server)
    async with serving(permitted) as service:
        await restricted(settings, redis_server)  # The user exists; now a permission is taken away.
        async with Redis.from_url(redis_server.url) as admin:
            await admin.execute_command("ACL", "SETUSER", "leaderboard", "-info")
        with capture_logs() as logs:
            await service.player("alice").play("COMPLETE_LEVEL")
            await until_answer(
                lambda: service.anonymous.ask(BOARD),
                lambda data: [entry["score"] for entry in data["leaderboard"]["entries"]] == [50],
            )
            await until(lambda: any("INFO" in str(line).upper() and "permi" in str(line) for line in logs))
