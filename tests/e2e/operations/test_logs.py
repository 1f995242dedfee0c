"""What the log says: one line per submission and per refusal, and no secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import structlog
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from app.config import Settings
from app.telemetry.logging import configure_logging
from tests.support.service import SUBMIT, Service, access_token, serving
from tests.support.wait_until import until

Lines = Callable[[], list[dict[str, Any]]]

QUERY = "query Q($id: ID!) { user(id: $id) { username } }"


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """A server that logs every submission."""
    async with serving(settings.model_copy(update={"log_submissions": 1.0})) as made:
        yield made


@pytest.fixture
def lines(service: Service, capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """The lines of the log as they are in production."""
    written: list[str] = []
    configure_logging("INFO", json=True, secrets=service.settings.secret_texts)
    structlog.configure(cache_logger_on_first_use=False)

    def read() -> list[dict[str, Any]]:
        written.extend(capsys.readouterr().err.splitlines())
        return [json.loads(line) for line in written]

    yield read
    logging.getLogger().handlers.clear()  # Standard error is another one when the service stops.


async def test_an_accepted_submission_is_one_line_with_its_request_and_its_trace(service: Service, lines: Lines):
    player = service.player("ada")
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    token = await player.issue()
    player.headers = {"x-request-id": "from-the-client", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    outcome = await player.submit(token)
    (line,) = [line for line in lines() if line["event"] == "submission_accepted"]
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert line["level"] == "info"
    assert line["service"] == "leaderboard"
    assert line["version"]
    assert line["instance"]
    assert line["request_id"] == "from-the-client"
    assert line["trace_id"] == trace
    assert line["user"] == outcome["user"]["id"].removeprefix("User:")
    assert line["transaction"] == outcome["transactionId"].rpartition(":")[2]
    assert (line["score_delta"], line["new_score"]) == (outcome["scoreDelta"], outcome["newScore"])
    assert line["latency_ms"] > 0


async def test_every_kind_of_refusal_is_a_line_with_its_code(service: Service, lines: Lines):
    ada, bob = service.player("ada"), service.player("bob")
    token = await ada.issue()
    await bob.submit(token)
    await ada.submit(token)
    await ada.submit(token)
    await ada.submit("forged")
    await ada.post('mutation { hideUser(input: { userId: "x", reason: "y" }) { __typename } }')
    await ada.post("{ syntax")
    await ada.post("{ unknownField }")
    await ada.post("query ($limit: Int!) { leaderboard(limit: $limit) { totalUsers } }", limit=1000)
    ada.token = "forged"
    await ada.post("{ me { id } }")
    await service.http.post("/graphql", content="no JSON", headers={"content-type": "application/json"})
    await service.http.get("/no/such/page")
    refused = [line for line in lines() if line["event"] == "request_refused"]
    codes = [line["code"] for line in refused]
    expected = [
        "ACTION_TOKEN_NOT_YOURS", "ACTION_TOKEN_USED", "INVALID_ACTION_TOKEN", "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT", "UNAUTHENTICATED", "BAD_REQUEST", "HTTP_404",
    ]  # fmt: skip
    assert [code for code in codes if code in expected and codes.count(code) == 1]
    assert set(expected) <= set(codes)
    for line in refused:
        assert line["reason"]
        assert line["request_id"]
        assert line["address"] == "127.0.0.1"
    replay = next(line for line in refused if line["code"] == "ACTION_TOKEN_USED")
    assert (replay["level"], replay["security"]) == ("warning", True)
    assert replay["user"]


async def test_a_socket_that_closes_for_a_fault_is_a_line_and_one_that_its_client_closes_is_none(
    service: Service, lines: Lines
):
    def closes() -> list[dict[str, Any]]:
        return [line for line in lines() if line["event"] == "socket_closed"]

    async with connect(service.socket_url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        await socket.send(json.dumps({"type": "connection_init"}))
        await socket.recv()
    async with connect(service.socket_url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        await socket.send("nonsense")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    async with connect(service.socket_url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        await socket.send(json.dumps({"type": "connection_init"}))
        await socket.recv()
        socket.transport.abort()
        await until(lambda: len(closes()) == 2)
    assert [line["close_code"] for line in closes()] == [4400, 1006]
    assert not [line for line in lines() if "WebSocket" in line["event"] or line["event"].startswith("connection")]


async def test_no_token_or_secret_is_in_the_log_wherever_it_was_sent(service: Service, lines: Lines):
    settings = service.settings
    jwt = access_token(settings, "ada")
    action_token = await service.player("ada").issue()
    password = "a-password-of-somebody"
    secrets = [jwt, action_token, settings.jwt_secret.get_secret_value(), "lbk_c2VjcmV0LWtleS1vZi1hLWJhY2stZW5k"]
    for secret in secrets:
        player = service.player()
        player.headers = {"x-request-id": secret[:64], "user-agent": secret, "origin": f"https://{secret[:60]}"}
        await player.post(QUERY, id=secret)
        await player.post(f'{{ user(id: "{secret}") {{ username }} }}')
        await player.post(f"{{ {secret} }}")
        await player.post("query ($limit: Int!) { leaderboard(limit: $limit) { totalUsers } }", limit=secret)
        await player.post("query ($limit: Int!) { leaderboard(limit: $limit) { totalUsers } }", limit=password)
        await player.post(SUBMIT, input={"actionToken": secret + "x"})
        player.token = secret + "x"
        await player.post("{ me { id } }")
        await service.http.get(f"/{secret}", params={"token": secret})
        await service.http.post("/graphql", content=secret, headers={"content-type": "application/json"})
        for payload in ({"authorization": f"Bearer {secret}x"}, {"authorization": secret}):
            url, protocols = service.socket_url, ["graphql-transport-ws"]
            async with connect(url, subprotocols=protocols) as socket:  # type: ignore[arg-type]
                await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
                await socket.wait_closed()
    structlog.get_logger("test").error("failed", url=f"postgresql://user:{password}@db/x", header=f"Bearer {password}")
    text = "\n".join(map(json.dumps, lines()))
    assert "request_refused" in text
    for secret in [*secrets, *(secret.rpartition(".")[2] for secret in secrets[:2]), password]:
        assert secret not in text
