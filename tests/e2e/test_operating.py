"""What operators rely on: probes, metrics, request ids, and a stop that loses nothing."""

import asyncio
import json
import signal

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.config import Settings
from tests.support.instances import instance_of
from tests.support.service import Service, serving, settings_for
from tests.support.stores import BreakableServer
from tests.support.waiting import TIMEOUT

SUBSCRIBE = {"id": "1", "type": "subscribe", "payload": {"query": "subscription { leaderboardUpdates { kind } }"}}


async def test_an_instance_says_that_it_lives_and_is_ready(service: Service):
    assert (await service.http.get("/livez")).json() == {"status": "ok"}
    answer = await service.http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"] == {"postgres": True, "redis": True, "canary": True}
    assert all(work["running"] for work in answer.json()["work"].values())


async def test_an_instance_without_redis_is_ready_but_says_so(database_url: str, redis_server: BreakableServer):
    async with serving(settings_for(database_url, redis_server.url)) as service:
        redis_server.kill()
        answer = await service.http.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


async def test_an_instance_without_postgres_is_not_ready(postgres_server: BreakableServer, redis_url: str):
    async with serving(settings_for(postgres_server.url, redis_url, db_timeout=1.0)) as service:
        postgres_server.kill()
        answer = await service.http.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]["postgres"]) == (503, False)
        assert (await service.http.get("/livez")).status_code == 200


async def test_metrics_count_what_happens(service: Service):
    await service.player().play()
    page = (await service.http.get("/metrics")).text
    numbers = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    assert float(numbers["leaderboard_sockets"]) == 0
    assert float(numbers['leaderboard_store_circuit_open{store="postgres"}']) == 0
    assert float(numbers['leaderboard_executions_total{executor="interpreted"}']) >= 2


async def test_a_request_keeps_its_id_and_gets_one_otherwise(service: Service):
    assert (await service.http.get("/livez", headers={"x-request-id": "abc-1"})).headers["x-request-id"] == "abc-1"
    for strange in ("", "a b", "x" * 65, "a\x00"):
        headers = {"x-request-id": strange} if strange.isprintable() else {}
        made = (await service.http.get("/livez", headers=headers)).headers["x-request-id"]
        assert made != strange
        assert made


async def test_a_stop_sends_sockets_away_to_come_back_and_ends_in_time(settings: Settings):
    async with instance_of(settings) as instance:
        async with connect(
            instance.address.replace("http", "ws") + "/graphql",
            subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
        ) as socket:
            await socket.send(json.dumps({"type": "connection_init"}))
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            await socket.send(json.dumps(SUBSCRIBE))
            assert json.loads(await socket.recv())["type"] == "next"
            instance.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(_all_news(socket), TIMEOUT)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        async with asyncio.timeout(TIMEOUT):
            assert await instance.process.wait() in (0, -signal.SIGTERM)


async def _all_news(socket: ClientConnection) -> None:
    """Listen until the close. A subscription that is completed before it would not be taken up again."""
    while True:
        assert json.loads(await socket.recv())["type"] == "next"


async def test_submissions_under_way_are_finished_by_a_stop(settings: Settings, service: Service):
    players = [service.player() for _ in range(20)]
    tokens = [await player.issue() for player in players]
    async with instance_of(settings) as instance:
        async with httpx2.AsyncClient(base_url=instance.address, timeout=20) as http:
            for player in players:
                player.http = http
            work = [asyncio.create_task(p.submit(t)) for p, t in zip(players, tokens, strict=True)]
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            instance.process.send_signal(signal.SIGTERM)
            outcomes = await asyncio.gather(*work, return_exceptions=True)
        async with asyncio.timeout(TIMEOUT):
            await instance.process.wait()
    # Whoever got an answer was paid; whoever did not learns from the other instance what happened.
    for player, token, outcome in zip(players, tokens, outcomes, strict=True):
        player.http = service.http
        again = await player.submit(token)
        if isinstance(outcome, dict):
            assert outcome["__typename"] == "ScoreAccepted"
            assert again["__typename"] == "ActionTokenUsed"
        else:
            assert again["__typename"] in ("ScoreAccepted", "ActionTokenUsed")
