"""What operators rely on: probes, metrics, request ids, and a stop that loses nothing."""

import asyncio
import json
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import redis.asyncio
from sqlalchemy import text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.config import Settings
from tests.support.metrics import metrics_of
from tests.support.processes.old_redis import old_redis
from tests.support.processes.service_instances import instance_of
from tests.support.service import Service, serving, settings_for
from tests.support.stores import BreakableServer
from tests.support.wait_until import TIMEOUT, until_answer

SUBSCRIBE = {"id": "1", "type": "subscribe", "payload": {"query": "subscription { leaderboardUpdates { kind } }"}}


async def test_an_instance_says_that_it_lives_and_is_ready(service: Service):
    assert (await service.http.get("/livez")).json() == {"status": "ok"}
    answer = await service.http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"] == {"postgres": True, "redis": True, "messages": True, "boards": True}
    assert all(work["running"] for work in answer.json()["work"].values())


async def test_an_instance_without_redis_is_ready_but_says_so(database_url: str, redis_server: BreakableServer):
    async with serving(settings_for(database_url, redis_server.url)) as service:
        redis_server.kill()
        answer = await service.http.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


async def test_an_instance_whose_redis_gives_way_to_one_that_is_too_old_is_ready_but_says_so(
    database_url: str, redis_server: BreakableServer
):
    port = int(redis_server.url.rsplit(":", 1)[1].split("/")[0])
    async with serving(settings_for(database_url, redis_server.url)) as service:
        redis_server.kill()
        async with old_redis(port):
            answer = await service.http.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert answer.json()["checks"]["redis"] is False


async def test_an_instance_without_postgres_is_not_ready(postgres_server: BreakableServer, redis_url: str):
    async with serving(settings_for(postgres_server.url, redis_url, db_timeout=1.0)) as service:
        postgres_server.kill()
        answer = await service.http.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]["postgres"]) == (503, False)
        assert (await service.http.get("/livez")).status_code == 200


async def test_two_hundred_probes_at_once_make_one_check(service: Service):
    backend = service.app.backend
    published = backend.published
    answers = await asyncio.gather(*(service.http.get("/readyz") for _ in range(200)))
    assert {answer.status_code for answer in answers} == {200}
    # Others publish too, but no probe of each probe; a slow machine may need more than the second that is shared.
    assert backend.published - published < 20


async def test_an_instance_whose_postgres_is_read_only_is_not_ready(postgres_server: BreakableServer, redis_url: str):
    async with serving(settings_for(postgres_server.url, redis_url)) as service:
        assert (await service.http.get("/readyz")).status_code == 200
        async with service.app.database.connect() as connection:
            await connection.execute(text("ALTER SYSTEM SET default_transaction_read_only = on"))
            await connection.execute(text("SELECT pg_reload_conf()"))
        try:

            async def ask() -> httpx2.Response:
                return await service.http.get("/readyz")

            answer = await until_answer(ask, lambda answer: answer.status_code == 503)
            assert answer.json()["reason"] == "PostgreSQL is read-only: nothing can be submitted."
            assert answer.json()["checks"]["postgres"] is False
            assert (await service.http.get("/livez")).status_code == 200
        finally:
            async with service.app.database.connect() as connection:
                await connection.execute(text("ALTER SYSTEM RESET default_transaction_read_only"))
                await connection.execute(text("SELECT pg_reload_conf()"))
        assert (await until_answer(ask, lambda answer: answer.status_code == 200)).json()["status"] == "ok"


async def test_a_busy_instance_is_ready(service: Service):
    assert (await service.http.get("/readyz")).status_code == 200
    pool_size = service.settings.db_pool_max
    async with AsyncExitStack() as stack:
        for _ in range(pool_size):
            await stack.enter_async_context(service.app.database.connect())

        async def ask() -> httpx2.Response:
            return await service.http.get("/readyz")

        answer = await until_answer(ask, lambda answer: not answer.json()["checks"]["postgres"])
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


async def test_metrics_count_what_happens(service: Service):
    await service.player().play()
    numbers = await metrics_of(service)
    assert numbers["leaderboard_sockets"] == 0
    assert numbers['leaderboard_store_circuit_open{store="postgres"}'] == 0
    assert numbers['leaderboard_executions_total{executor="interpreted"}'] >= 2
    assert numbers['leaderboard_cache_requests_total{cache="accounts",result="miss"}'] >= 1
    assert numbers['leaderboard_submissions_total{kind="action_token",outcome="ACCEPTED"}'] == 1
    assert numbers['leaderboard_submission_phase_duration_seconds_count{phase="store"}'] == 1
    of_submit = 'field="submitScore",operation="other"'
    assert numbers[f'leaderboard_operations_total{{code="OK",{of_submit},outcome="ok",type="mutation"}}'] == 1
    assert numbers[f'leaderboard_operation_duration_seconds_count{{{of_submit},type="mutation"}}'] == 1
    assert numbers['leaderboard_fraud_verdicts_total{verdict="accept"}'] == 1
    assert numbers['leaderboard_postgres_statement_duration_seconds_count{pool="postgres"}'] >= 1
    assert numbers['leaderboard_redis_call_duration_seconds_count{caller="redis"}'] >= 1


async def test_metrics_name_the_codes_of_refusals(service: Service):
    player = service.player()
    token = await player.issue()
    for _ in range(2):
        await player.submit(token)
    await player.submit("no token")
    await service.http.post("/graphql", json={"query": "{ nothing }"})
    await service.http.post("/graphql", content=b"{", headers={"content-type": "application/json"})
    numbers = await metrics_of(service)
    for code in ("ACTION_TOKEN_USED", "INVALID_ACTION_TOKEN"):
        labels = f'code="{code}",field="submitScore",operation="other",outcome="refused",type="mutation"'
        assert numbers[f"leaderboard_operations_total{{{labels}}}"] == 1
        assert numbers[f'leaderboard_submissions_total{{kind="action_token",outcome="{code}"}}'] == 1
    for code in ("GRAPHQL_VALIDATION_FAILED", "BAD_REQUEST"):
        labels = f'code="{code}",field="unknown",operation="unknown",outcome="refused",type="unknown"'
        assert numbers[f"leaderboard_operations_total{{{labels}}}"] == 1
    assert numbers['leaderboard_replays_total{kind="action_token"}'] == 1


async def test_metrics_measure_how_late_watchers_see_a_change(service: Service):
    protocol: Any = "graphql-transport-ws"
    async with connect(service.socket_url, subprotocols=[protocol]) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        await socket.recv()
        await socket.send(json.dumps(SUBSCRIBE))
        await socket.recv()
        await service.player().play()
        async with asyncio.timeout(TIMEOUT):
            while json.loads(await socket.recv())["type"] != "next":
                pass
    numbers = await metrics_of(service)
    assert numbers["leaderboard_watcher_lag_seconds_count"] >= 1
    assert numbers["leaderboard_socket_messages_sent_total"] >= 3
    assert numbers["leaderboard_socket_messages_received_total"] == 2
    assert numbers["leaderboard_socket_sent_bytes_total"] > 100


async def test_metrics_tell_what_the_channels_carried(service: Service):
    await service.http.get("/readyz")  # A probe goes out and comes back.
    headers = {"accept": "text/event-stream"}
    body = {"query": "subscription { leaderboardUpdates { kind } }"}
    async with service.http.stream("POST", "/graphql", json=body, headers=headers) as stream:
        events = stream.aiter_text()  # Kept: the response would be closed with it.
        while "next" not in await anext(events):
            pass
        async with redis.asyncio.Redis.from_url(str(service.settings.redis_url), socket_timeout=5) as client:
            assert await client.spublish(f"{service.settings.redis_prefix}:notices", "no notice") == 1
        numbers = await metrics_once(service, lambda now: now["leaderboard_notices_unreadable_total"] == 1)
        assert numbers["leaderboard_streams"] == 1
    assert numbers["leaderboard_channel_messages_published_total"] >= 1
    assert numbers["leaderboard_channel_messages_received_total"] >= 2
    assert numbers["leaderboard_channel_gaps_total"] >= 1
    assert numbers["leaderboard_notices_lost_total"] >= 1
    for idle in ("channel_overflows", "channel_messages_unreadable", "milestones_dropped"):
        assert numbers[f"leaderboard_{idle}_total"] == 0
    for counted in ("board_polls", "notices_received"):
        assert numbers[f"leaderboard_{counted}_total"] >= 0
    await metrics_once(service, lambda now: now["leaderboard_streams"] == 0)


async def test_metrics_tell_how_each_job_does(service: Service):
    numbers = await metrics_once(service, lambda now: 'leaderboard_job_last_duration_seconds{job_name="repair"}' in now)
    assert numbers["leaderboard_jobs_leader"] == 1
    assert numbers['leaderboard_job_runs_total{job_name="repair"}'] >= 1
    assert numbers['leaderboard_job_failures_total{job_name="repair"}'] == 0
    assert numbers['leaderboard_job_interval_seconds{job_name="repair"}'] == 5
    assert numbers['leaderboard_job_running{job_name="reconcile"}'] == 0
    now = datetime.now(UTC).timestamp()
    assert now - 3600 < numbers['leaderboard_job_last_success_timestamp_seconds{job_name="repair"}'] <= now
    assert 'leaderboard_job_last_success_timestamp_seconds{job_name="anchor_all"}' not in numbers


async def metrics_once(service: Service, condition: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """The samples as soon as they meet `condition`."""
    return await until_answer(lambda: metrics_of(service), condition, timeout=40)


@pytest.mark.parametrize(
    "setting",
    [
        {"SENTRY_DSN": "http://0123456789abcdef@127.0.0.1:9/1"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
    ],
    ids=lambda setting: next(iter(setting)),
)
async def test_the_service_starts_and_answers_with_an_optional_setting(settings: Settings, setting: dict[str, str]):
    async with instance_of(settings, start_timeout=150, **setting) as instance:
        assert instance.address, "it did not start"
        async with httpx2.AsyncClient(base_url=instance.address, timeout=20) as http:
            answer = await http.post("/graphql", json={"query": "{ categories { id } }"})
            assert (answer.status_code, "errors" in answer.json()) == (200, False)


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
    # An answered player was paid; the others learn from the other instance what happened.
    for player, token, outcome in zip(players, tokens, outcomes, strict=True):
        player.http = service.http
        again = await player.submit(token)
        if isinstance(outcome, dict):
            assert outcome["__typename"] == "ScoreAccepted"
            assert again["__typename"] == "ActionTokenUsed"
        else:
            assert again["__typename"] in ("ScoreAccepted", "ActionTokenUsed")
