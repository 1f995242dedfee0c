"""The real service by the ways in which clients and proxies address it."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID, uuid4

import pytest

from app.domain.rules.signed_actions import SignedAction, sign
from tests.support.graphql.raw_http import connected
from tests.support.graphql.socket_client import connecting
from tests.support.service import Player, Service
from tests.support.wait_until import TIMEOUT

BODY = b'{"query":"{ me { role } }"}'
QUERY = "{ categories { id } }"


async def test_the_endpoint_answers_with_a_slash_at_its_end_and_does_not_redirect(service: Service):
    headers = {"x-forwarded-proto": "https", "host": "localhost"}
    reply = await service.http.post("/graphql/", json={"query": QUERY}, headers=headers)
    assert reply.status_code == 200
    assert "data" in reply.json()
    async with connecting(service.socket_url + "/") as client:
        await client.init()
        await client.subscribe(QUERY)
        assert "data" in await client.hear_next()


@pytest.mark.parametrize("path", ["/livez/", "/graphiql/", "/assets"])
async def test_no_path_redirects(service: Service, path: str):
    assert (await service.http.get(path)).status_code == 404


async def test_an_empty_authorization_is_anonymous_over_http_and_sockets(service: Service):
    head = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nauthorization:"
    body = b'{"query":"{ categories { id } }"}'
    async with connected(service.url) as connection:
        for value in (b"", b" ", b"  \t"):
            request = head + value + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body
            reply, content = await connection.asks(request)
            assert reply.startswith(b"HTTP/1.1 200 "), content
    for payload in ({"authorization": ""}, {"Authorization": None}, {}):
        async with connecting(service.socket_url) as client:
            await client.init(payload)
    async with connecting(service.socket_url, additional_headers={"authorization": ""}) as client:
        await client.init()


async def test_two_access_tokens_are_refused_whichever_comes_last(service: Service):
    token = service.player("alice").token
    assert token is not None
    head = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    lines = [b"authorization: Bearer %b\r\n" % token.encode(), b"authorization: Bearer x\r\n"]
    for order in (lines, lines[::-1], lines[:1] * 2):
        async with connected(service.url) as connection:
            request = head + b"".join(order) + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
            reply, content = await connection.asks(request)
        assert reply.startswith(b"HTTP/1.1 400 ")
        assert b"Authorization must not be repeated" in content


async def test_every_answer_has_a_date(service: Service):
    for reply in (
        await service.http.get("/livez"),
        await service.http.post("/graphql", json={"query": QUERY}),
        await service.http.post("/graphql", json={"query": QUERY}),
        await service.http.get("/nothing"),
        await service.http.post("/graphql", content=b"x"),
    ):
        assert abs(parsedate_to_datetime(reply.headers["date"]) - datetime.now(UTC)) < timedelta(minutes=5)


async def test_a_stream_over_http_1_0_ends_with_the_connection_and_has_no_chunks(service: Service):
    body = b'{"query":"subscription { leaderboardUpdates { version } }"}'
    host, port = service.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /graphql HTTP/1.0\r\nhost: localhost\r\ncontent-type: application/json\r\naccept: text/event-stream\r\n"
        b"content-length: %d\r\n\r\n" % len(body) + body
    )
    async with asyncio.timeout(TIMEOUT):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        event = await reader.readuntil(b"\n\n")
    writer.close()
    assert head.startswith(b"http/1.1 200 ")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert event.startswith((b"event: next", b":", b"data:"))


OPEN = "mutation { openSigningSession { keyId secret } }"
SIGNED = """mutation($input: SubmitSignedActionInput!) { submitSignedAction(input: $input) {
  __typename ... on StaleTimestamp { message serverTime } } }"""


async def signed(player: Player, at: datetime) -> dict[str, str]:
    session = (await player.ask(OPEN))["openSigningSession"]
    action = SignedAction(UUID(session["keyId"]), uuid4(), "COMPLETE_LEVEL", None, at)
    return {
        "keyId": session["keyId"],
        "actionId": str(action.action_id),
        "actionType": action.action_type,
        "timestamp": at.isoformat(),
        "signature": sign(session["secret"], action),
    }


async def test_a_client_whose_clock_is_wrong_learns_the_time_of_the_server(service: Service):
    alice = service.player("alice")
    stale = await signed(alice, datetime.now(UTC) - timedelta(hours=3))
    outcome = (await alice.ask(SIGNED, input=stale))["submitSignedAction"]
    assert outcome["__typename"] == "StaleTimestamp"
    server_time = datetime.fromisoformat(outcome["serverTime"])
    assert str(server_time.year) in outcome["message"]
    corrected = await signed(alice, server_time)
    assert (await alice.ask(SIGNED, input=corrected))["submitSignedAction"]["__typename"] == "ScoreAccepted"
