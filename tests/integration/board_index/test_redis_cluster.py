"""The main way on a Redis in cluster mode, which refuses every call whose keys lie in different slots."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.config import Settings
from app.embedded.os_user import OsUser
from app.embedded.paths import redis_program
from tests.support.service import BOARD, serving
from tests.support.wait_until import TIMEOUT


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[str]:
    """A cluster of one node that holds all slots."""
    port = _two_free_ports()
    program = redis_program(tmp_path, OsUser.for_cluster(tmp_path / "postgres"))
    command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--cluster-enabled", "yes"]
    process = subprocess.Popen([*command, "--cluster-config-file", str(tmp_path / "nodes.conf")])
    try:
        async with asyncio.timeout(TIMEOUT), Redis(port=port) as client:
            await until(lambda: _answers(client))
            await client.execute_command("CLUSTER", "ADDSLOTS", *range(16_384))
            await until(lambda: _is_whole(client))
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _two_free_ports() -> int:
    """A port that is free together with that port + 10 000, on which the nodes talk; both below those of clients."""
    for port in Random().sample(range(11_000, 22_000), 100):
        with suppress(OSError), socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 10_000))
            return port
    pytest.fail("no port is free")


async def until(state: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is so: a server in another process announces nothing."""
    while not await state():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def _answers(client: Redis) -> bool:
    try:
        await client.ping()
    except (RedisError, OSError):
        return False
    return True


async def _is_whole(client: Redis) -> bool:
    return b"cluster_state:ok" in await client.execute_command("CLUSTER", "INFO")


async def test_playing_and_watching_stay_within_the_slots_of_a_cluster(settings: Settings, cluster: str):
    clustered = settings.model_copy(update={"redis_url": cluster, "redis_cluster_enabled": True})
    async with serving(clustered.model_copy(update={"rate_limit_enabled": True})) as service:
        first, second = service.player("first"), service.player("second")
        await first.play("COMPLETE_LEVEL")
        outcome = await second.play("COMPLETE_MISSION", difficulty="hard")
        assert (outcome["__typename"], outcome["currentRank"]) == ("ScoreAccepted", 1)
        board = (await service.anonymous.ask(BOARD))["leaderboard"]
        assert [entry["user"]["username"] for entry in board["entries"]] == ["second", "first"]
        assert board["source"] in ("REDIS", "MEMORY")
        ready = (await service.http.get("/readyz")).json()
        assert ready["checks"] == {"postgres": True, "redis": True, "canary": True, "boards": True}
