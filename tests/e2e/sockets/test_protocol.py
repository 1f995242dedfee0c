"""What a client may say on a socket, and what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest
from websockets.exceptions import InvalidStatus

from app.config import DocumentMode
from app.transport.persisted_documents.resolve import Documents
from app.transport.persisted_documents.trusted import TrustedDocuments
from app.transport.sockets.connections import SocketLimits
from tests.support.graphql.sample_server import SampleServer, serve_sockets
from tests.support.graphql.socket_client import TICKS, SocketClient, connected, connecting
from tests.support.wait_until import until


class Store:
    """Documents in memory."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    async def get(self, digest: str) -> str | None:
        return self._texts.get(digest)

    async def put(self, digest: str, text: str) -> None:
        self._texts[digest] = text


@pytest.fixture(scope="module")
async def shared_server() -> AsyncIterator[SampleServer]:
    async with serve_sockets() as server:
        yield server


@pytest.fixture
async def server() -> AsyncIterator[SampleServer]:
    async with serve_sockets(limits=SocketLimits(init_timeout=0.5)) as server:
        yield server


@pytest.fixture
async def client(server: SampleServer) -> AsyncIterator[SocketClient]:
    async with connected(server.url) as client:
        yield client


@pytest.mark.parametrize("offered", [(), ("graphql-ws",), ("chat", "graphql")])
async def test_only_graphql_transport_ws_is_spoken(server: SampleServer, offered: tuple[str, ...]) -> None:
    async with connecting(server.url, subprotocols=offered) as client:
        assert (await client.close_code())[0] == 4406


async def test_graphql_transport_ws_is_chosen_among_others(server: SampleServer) -> None:
    async with connecting(server.url, subprotocols=("graphql-ws", "graphql-transport-ws")) as client:
        assert client.connection.subprotocol == "graphql-transport-ws"
        await client.init()


async def test_a_handshake_from_a_foreign_site_is_refused() -> None:
    async with serve_sockets(allowed=False) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with connecting(server.url):
                pass
        assert refused.value.response.status_code == 403
        assert len(server.connections) == 0


@pytest.mark.parametrize("message", [{}, {"payload": None}, {"payload": {}}, {"payload": {"more": 1}, "extra": []}])
async def test_connection_init_is_acknowledged_with_and_without_payload(
    server: SampleServer, message: dict[str, object]
) -> None:
    async with connecting(server.url) as client:
        await client.say({"type": "connection_init", **message})
        assert await client.hear() == {"type": "connection_ack"}


async def test_the_http_header_authenticates_as_well_as_the_payload(server: SampleServer) -> None:
    async with connecting(server.url, additional_headers={"authorization": "ada"}) as client:
        await client.init()
        await client.subscribe("{ me }")
        assert await client.hear_next() == {"data": {"me": "ada"}}


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("expired", 4403, "The access token has expired."),
        ("forged", 4401, "A valid access token is required."),
        ("broken", 1013, "Try again later"),
    ],
)
async def test_a_failed_authentication_closes_with_the_code_that_tells_what_to_do(
    server: SampleServer, name: str, code: int, reason: str
) -> None:
    async with connecting(server.url) as client:
        await client.say({"type": "connection_init", "payload": {"authorization": name}})
        assert await client.close_code() == (code, reason)


async def test_a_second_connection_init_closes_with_4429(client: SocketClient) -> None:
    await client.say({"type": "connection_init"})
    assert (await client.close_code())[0] == 4429


async def test_a_second_connection_init_closes_with_4429_while_the_first_is_being_checked(
    server: SampleServer,
) -> None:
    async with connecting(server.url) as client:
        await client.say({"type": "connection_init", "payload": {"authorization": "slow"}})
        await client.say({"type": "connection_init", "payload": {}})
        assert (await client.close_code())[0] == 4429


async def test_a_socket_without_connection_init_is_closed_with_4408(server: SampleServer) -> None:
    async with connecting(server.url) as client:
        assert (await client.close_code())[0] == 4408


async def test_the_init_deadline_covers_a_slow_authentication(server: SampleServer) -> None:
    tasks = len(asyncio.all_tasks())
    async with connecting(server.url) as client:
        await client.say({"type": "connection_init", "payload": {"authorization": "slow"}})
        assert (await client.close_code())[0] == 4408
    assert server.contexts.entered.is_set()
    await until(lambda: len(asyncio.all_tasks()) == tasks)


async def test_subscribing_before_the_acknowledgement_closes_with_4401(server: SampleServer) -> None:
    async with connecting(server.url) as client:
        await client.say({"type": "connection_init", "payload": {"authorization": "slow"}})
        await client.subscribe()
        assert await client.close_code() == (4401, "Unauthorized")


async def test_an_id_in_use_closes_with_4409(client: SocketClient) -> None:
    await client.subscribe(id="a")
    await client.hear_tick("a")
    await client.subscribe(id="a")
    assert await client.close_code() == (4409, "Subscriber for a already exists")


async def test_an_id_is_free_again_after_complete(client: SocketClient) -> None:
    for _ in range(3):
        await client.subscribe()
        assert await client.hear_tick() == ("SNAPSHOT", 1)
        await client.complete()


async def test_completing_what_does_not_run_is_ignored(client: SocketClient) -> None:
    await client.complete("nothing")
    assert await client.is_alive()


async def test_pings_are_answered_before_and_after_the_acknowledgement(server: SampleServer) -> None:
    async with connecting(server.url) as client:
        assert await client.is_alive()
        await client.init()
        await client.say({"type": "ping", "payload": {"sent": 1}})
        assert await client.hear() == {"type": "pong"}
        await client.say({"type": "pong"})
        assert await client.is_alive()


SUBSCRIBE = '{"type":"subscribe","id":"1","payload":%s}'
MALFORMED: list[str | bytes] = [
    "",
    "nonsense",
    "null",
    "7",
    '"subscribe"',
    "[]",
    '[{"type":"ping"}]',
    "{}",
    '{"type":null}',
    '{"type":["ping"]}',
    '{"type":"start","id":"1","payload":{}}',
    '{"type":"connection_ack"}',
    '{"type":"next","id":"1","payload":{}}',
    '{"type":"connection_init","payload":[]}',
    '{"type":"connection_init","payload":"Bearer x"}',
    '{"type":"ping","payload":1}',
    '{"type":"pong","payload":"x"}',
    '{"type":"complete"}',
    '{"type":"complete","id":1}',
    '{"type":"complete","id":["1"]}',
    '{"type":"subscribe","payload":{"query":"{ version }"}}',
    '{"type":"subscribe","id":"","payload":{"query":"{ version }"}}',
    '{"type":"subscribe","id":["1"],"payload":{"query":"{ version }"}}',
    '{"type":"subscribe","id":"%s","payload":{"query":"{ version }"}}' % ("x" * 257),
    '{"type":"subscribe","id":"1"}',
    SUBSCRIBE % "null",
    SUBSCRIBE % "[]",
    SUBSCRIBE % '"{ version }"',
    SUBSCRIBE % "{}",
    SUBSCRIBE % '{"query":null}',
    SUBSCRIBE % '{"query":["{ version }"]}',
    SUBSCRIBE % '{"query":"{ version }","variables":[]}',
    SUBSCRIBE % '{"query":"{ version }","variables":"{}"}',
    SUBSCRIBE % '{"query":"{ version }","operationName":1}',
    SUBSCRIBE % '{"query":"{ version }","extensions":[]}',
    SUBSCRIBE % '{"query":"\\ud800"}',
    '{"type":"ping","payload":' + '{"a":' * 5000 + "1" + "}" * 5001,
    "[" * 60000,
    b'{"type":"ping"}',
    b"",
]


@pytest.mark.parametrize("message", MALFORMED, ids=lambda message: repr(message)[:60])
@pytest.mark.parametrize("acknowledged", [True, False], ids=["acknowledged", "new"])
async def test_a_malformed_message_closes_with_4400(
    shared_server: SampleServer, caplog: pytest.LogCaptureFixture, message: str | bytes, acknowledged: bool
) -> None:
    async with connecting(shared_server.url) as client:
        if acknowledged:
            await client.init()
        await client.connection.send(message)
        code, reason = await client.close_code()
    assert (code, bool(reason)) == (4400, True)
    assert "Traceback" not in caplog.text
    assert len(shared_server.connections) == 0


async def test_text_that_is_not_utf_8_closes_with_4400(client: SocketClient) -> None:
    await client.connection.send(b'{"type":"ping","payload":{"a":"\xff"}}', text=True)
    assert (await client.close_code())[0] == 4400


async def test_a_message_over_64_kib_closes_with_1009(client: SocketClient) -> None:
    await client.subscribe(f"# {'x' * 66000}\n{{ version }}")
    assert (await client.close_code())[0] == 1009


async def test_a_message_of_64_kib_is_read(client: SocketClient) -> None:
    await client.subscribe(f"# {'x' * 65000}\n{{ version }}")
    assert await client.hear_next() == {"data": {"version": 1}}


async def test_a_message_may_come_in_fragments(client: SocketClient) -> None:
    await client.connection.send(['{"type":', '"pi', 'ng"}'])
    assert await client.hear() == {"type": "pong"}


async def test_a_message_in_endless_fragments_closes_with_4400(client: SocketClient) -> None:
    await client.connection.send("" for _ in range(200))
    assert (await client.close_code())[0] == 4400


async def test_queries_and_mutations_are_answered_once_and_completed(client: SocketClient) -> None:
    await client.subscribe("mutation { move }", id="m")
    assert await client.hear_next("m") == {"data": {"move": 2}}
    assert await client.hear() == {"id": "m", "type": "complete"}
    await client.subscribe("query V { version } query M { me }", id="q", operationName="V")
    assert await client.hear_next("q") == {"data": {"version": 2}}
    assert await client.hear() == {"id": "q", "type": "complete"}


async def test_errors_of_resolvers_come_with_the_result(client: SocketClient) -> None:
    await client.subscribe("{ broken }")
    assert (await client.hear_next())["errors"][0]["path"] == ["broken"]
    assert await client.hear() == {"id": "1", "type": "complete"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { ticks", "GRAPHQL_PARSE_FAILED"),
        ("subscription { unknown }", "GRAPHQL_VALIDATION_FAILED"),
        ("{a" * 20000 + "}" * 20000, "GRAPHQL_PARSE_FAILED"),
        ("query A { version } query B { version }", "BAD_USER_INPUT"),
        ("subscription S($limit: Int!) { ticks(limit: $limit) { version } }", "BAD_USER_INPUT"),
        ("query S($limit: Int!) { version @include(if: true) me @skip(if: $limit) }", "GRAPHQL_VALIDATION_FAILED"),
    ],
    ids=["syntax", "validation", "depth", "name", "variables", "types"],
)
async def test_a_document_that_cannot_be_executed_ends_the_operation_and_not_the_socket(
    client: SocketClient, query: str, code: str
) -> None:
    await client.subscribe(TICKS, id="other")
    await client.hear_tick("other")
    await client.subscribe(query)
    assert (await client.hear_error())["extensions"]["code"] == code
    await client.subscribe("{ version }")
    assert await client.hear_next() == {"data": {"version": 1}}


async def test_an_operation_the_guard_refuses_is_an_error_and_its_id_is_free(client: SocketClient) -> None:
    for _ in range(2):
        await client.subscribe("subscription Flood { ticks { version } }")
        assert "Try again in 7 s" in (await client.hear_error())["message"]


async def test_a_long_or_foreign_id_comes_back_as_it_was(client: SocketClient) -> None:
    for name in ('quote " and \\ back', "größe 🏆", "x" * 256):
        await client.subscribe(id=name)
        assert await client.hear_tick(name) == ("SNAPSHOT", 1)


async def test_documents_that_were_refused_are_told_to_the_guard(server: SampleServer, client: SocketClient) -> None:
    for _ in range(3):
        await client.subscribe("{ unknown }")
        await client.hear_error()
    assert len(server.refused_documents) == 3


async def test_only_trusted_documents_pass_where_that_is_enforced() -> None:
    documents = Documents(trusted=TrustedDocuments({"ticks": TICKS}), mode=DocumentMode.ENFORCE)
    async with serve_sockets(documents=documents) as server, connected(server.url) as client:
        await client.subscribe("{ version }")
        assert (await client.hear_error())["extensions"]["code"] == "QUERY_NOT_IN_SAFELIST"
        await client.subscribe(TICKS)
        await client.hear_tick()
        await client.say({"id": "2", "type": "subscribe", "payload": {"documentId": "ticks"}})
        await client.hear_tick("2")
        assert server.multiplexer.groups == 1


async def test_a_document_is_persisted_and_then_named_by_its_hash() -> None:
    store = Store()
    async with serve_sockets(documents=Documents(store=store)) as server, connected(server.url) as client:
        hashed = {"persistedQuery": {"version": 1, "sha256Hash": sha256(TICKS.encode()).hexdigest()}}
        await client.say({"id": "1", "type": "subscribe", "payload": {"extensions": hashed}})
        assert (await client.hear_error())["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
        await client.subscribe(extensions=hashed)
        await client.hear_tick()
        await client.say({"id": "2", "type": "subscribe", "payload": {"extensions": hashed}})
        await client.hear_tick("2")
        assert server.multiplexer.groups == 1


async def test_a_wrongly_named_persisted_document_closes_with_4400(client: SocketClient) -> None:
    await client.subscribe("{ version }", extensions={"persistedQuery": {"version": 2}})
    assert (await client.close_code())[0] == 4400


async def test_a_query_that_takes_too_long_is_given_up() -> None:
    async with serve_sockets(execution_timeout=0.1) as server, connected(server.url) as client:
        await client.subscribe("{ slow }")
        assert "temporarily unavailable" in (await client.hear_error())["message"]
        assert server.counter.cancelled.is_set()
