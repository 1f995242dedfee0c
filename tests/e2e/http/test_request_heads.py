"""Requests as bytes on a connection: what becomes a header, what is bounded, and what is never a request."""

import asyncio
import contextlib
import json
import socket as sockets
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
from starlette.types import Receive, Scope, Send

from app.transport.server.http_protocol import BoundedHttpProtocol
from app.transport.server.request_head import MAX_HEAD_BYTES, MAX_HEADERS
from app.transport.sockets.websocket_protocol import SocketProtocol
from tests.support.graphql.raw_http import Connection, connected
from tests.support.graphql.sample_server import serve_http
from tests.support.wait_until import TIMEOUT

POST = b"POST / HTTP/1.1\r\nhost: x\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
H2C = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


class Echo:
    """An application that answers with what it was asked: method, target, headers and body."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.reads_bodies = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            names = b",".join(name for name, _ in scope["headers"])
            await send({"type": "websocket.accept", "headers": [(b"x-names", names), (b"x-size", b"1")]})
            await send({"type": "websocket.close"})
            return
        self.requests.append((scope["method"], scope["path"]))
        body, more = b"", self.reads_bodies
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        content = json.dumps(
            {
                "path": scope["path"],
                "query": scope["query_string"].decode(),
                "body": body.decode(),
                "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
            }
        ).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class Impatient(BoundedHttpProtocol):
    stall_timeout: ClassVar[float] = 0.3
    head_timeout: ClassVar[float] = 0.3
    body_timeout: ClassVar[float] = 0.3
    refusal_linger: ClassVar[float] = 0.1


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def url(echo: Echo) -> AsyncIterator[str]:
    async with serve_http(echo, ws=SocketProtocol) as url:
        yield url


@pytest.fixture
async def connection(url: str) -> AsyncIterator[Connection]:
    async with connected(url) as connection:
        yield connection


def seen(response: tuple[bytes, bytes]) -> dict[str, object]:
    head, body = response
    assert head.startswith(b"HTTP/1.1 200 "), head
    read: dict[str, object] = json.loads(body)
    return read


def names(response: tuple[bytes, bytes]) -> list[str]:
    headers = seen(response)["headers"]
    assert isinstance(headers, list)
    return [name for name, _ in headers]


def refusal(response: tuple[bytes, bytes], status: int) -> str:
    head, body = response
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    assert b"connection: close" in head
    (error,) = json.loads(body)["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST"
    message: str = error["message"]
    return message


# Trailers


@pytest.mark.parametrize(
    "trailer",
    [
        b"X-Forwarded-For: 1.2.3.4",
        b"Authorization: Bearer x",
        b"Host: evil",
        b"Upgrade: websocket",
        b"X-Odd: a",
    ],
)
async def test_trailers_do_not_become_headers(connection: Connection, trailer: bytes):
    request = CHUNKED + b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n\r\n"
    assert seen(await connection.asks(request))["headers"] == [["host", "x"], ["transfer-encoding", "chunked"]]
    request = POST + b"content-length: 0\r\n\r\n"
    assert seen(await connection.asks(request))["headers"] == [["host", "x"], ["content-length", "0"]]


@pytest.mark.parametrize("options", [b"close", b"Upgrade\r\nUpgrade: websocket"])
async def test_a_trailer_about_the_connection_closes_it_after_the_answer(connection: Connection, options: bytes):
    answer = await connection.asks(CHUNKED + b"5\r\nhello\r\n0\r\nConnection: " + options + b"\r\n\r\n")
    assert seen(answer)["headers"] == [["host", "x"], ["transfer-encoding", "chunked"]]
    assert await connection.is_closed()


@pytest.mark.parametrize("trailer", [b"Content-Length: 3", b"Transfer-Encoding: chunked, gzip"])
async def test_trailers_that_would_change_where_the_request_ends_are_refused(connection: Connection, trailer: bytes):
    refusal(await connection.asks(CHUNKED + b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n\r\n"), 400)
    assert await connection.is_closed()


async def test_trailers_of_one_request_do_not_become_headers_of_the_next(connection: Connection):
    await connection.send(CHUNKED + b"0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n" + POST + b"content-length: 0\r\n\r\n")
    assert names(await connection.response()) == ["host", "transfer-encoding"]
    assert names(await connection.response()) == ["host", "content-length"]


async def test_trailers_that_arrive_late_do_not_become_headers(connection: Connection):
    await connection.send(CHUNKED + b"5\r\nhello\r\n")
    await connection.send(b"0\r\n")
    await connection.send(b"X-Forwarded-For: 1.2.")
    await connection.send(b"3.4\r\n\r\n")
    assert names(await connection.response()) == ["host", "transfer-encoding"]


# Offers to upgrade


@pytest.mark.parametrize("together", [True, False], ids=["one packet", "many packets"])
@pytest.mark.parametrize("body", [b"hello", b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"], ids=["text", "a request"])
async def test_an_offer_of_http_2_is_ignored_and_the_request_is_answered(
    echo: Echo, connection: Connection, together: bool, body: bytes
):
    head = POST + H2C + b"content-length: %d\r\n\r\n" % len(body)
    if together:
        await connection.send(head + body)
    else:
        for part in (head[:70], head[70:], body[:2], body[2:]):
            await connection.send(part)
            await asyncio.sleep(0.01)  # another packet
    answer = await connection.response()
    assert seen(answer)["body"] == body.decode()
    assert names(answer) == ["host", "content-length"]
    assert seen(await connection.asks(POST + b"content-length: 0\r\n\r\n"))["body"] == ""
    assert echo.requests == [("POST", "/")] * 2


async def test_an_offer_of_http_2_with_chunks_is_ignored(echo: Echo, connection: Connection):
    await connection.send(POST + H2C + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
    await connection.send(b"0\r\n\r\n")
    assert seen(await connection.response())["body"] == "hello"
    assert echo.requests == [("POST", "/")]


async def test_other_options_of_the_connection_are_kept_when_an_offer_is_ignored(connection: Connection):
    head, _ = await connection.asks(POST + b"connection: close, upgrade\r\nupgrade: h2c\r\ncontent-length: 0\r\n\r\n")
    assert b"connection: close" in head
    assert await connection.is_closed()


async def test_many_offers_in_one_packet_are_answered_in_order(connection: Connection):
    requests = [
        b"POST /%d HTTP/1.1\r\nhost: x\r\n" % number + H2C + b"content-length: 2\r\n\r\n%02d" % number
        for number in range(50)
    ]
    await connection.send(b"".join(requests))
    for number in range(50):
        answer = seen(await connection.response())
        assert (answer["path"], answer["body"]) == (f"/{number}", f"{number:02d}")


@pytest.mark.parametrize("body", [b"content-length: 5\r\n\r\nhello", b"transfer-encoding: chunked\r\n\r\n"])
async def test_a_handshake_with_a_body_is_refused(connection: Connection, body: bytes):
    assert "must not have a body" in refusal(await connection.asks(HANDSHAKE + body), 400)
    assert await connection.is_closed()


async def test_a_tunnel_is_refused(connection: Connection):
    refusal(await connection.asks(b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n"), 405)


# Bounds


async def test_a_head_of_64_kib_is_read(connection: Connection):
    filler = b"".join(b"x-%02d: %b\r\n" % (number, b"a" * 8000) for number in range(8))
    assert len(names(await connection.asks(POST + filler + b"content-length: 0\r\n\r\n"))) == 10


@pytest.mark.parametrize(
    "head",
    [
        POST + b"x: " + b"a" * (MAX_HEAD_BYTES + 1) + b"\r\n\r\n",
        POST + b"x: " + b"a" * 3 * MAX_HEAD_BYTES,
        b"GET /" + b"a" * 3 * MAX_HEAD_BYTES,
        POST + b"a: b\r\n" * MAX_HEADERS + b"\r\n",
        HANDSHAKE + b"x: " + b"a" * 2 * MAX_HEAD_BYTES + b"\r\n\r\n",
        HANDSHAKE + b"sec-websocket-protocol: " + b"a" * 20_000 + b"\r\n\r\n",
    ],
    ids=["long header", "endless header", "endless target", "many headers", "long handshake", "long protocol"],
)
async def test_a_head_beyond_the_bounds_is_refused_with_431(connection: Connection, head: bytes):
    refusal(await connection.asks(head), 431)
    assert await connection.is_closed()


async def test_endless_trailers_are_refused(connection: Connection):
    refusal(await connection.asks(CHUNKED + b"0\r\nx: " + b"a" * 3 * MAX_HEAD_BYTES), 431)


async def test_no_client_can_make_the_server_collect_a_head_without_end(url: str):
    """63 MB of one header are refused long before they have been sent."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    sent = 0
    async with asyncio.timeout(TIMEOUT):
        writer.write(POST + b"x: ")
        with contextlib.suppress(ConnectionError):
            while sent < 63_000_000 and not reader.at_eof():
                writer.write(b"a" * 65_536)
                sent += 65_536
                await writer.drain()
                await asyncio.sleep(0)
        assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
    writer.close()


async def test_a_handshake_with_a_long_header_is_answered_and_the_application_sees_the_header(connection: Connection):
    head, _ = await connection.asks(HANDSHAKE + b"authorization: " + b"a" * 20_000 + b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"authorization" in head


# One timer


@pytest.mark.parametrize(
    "parts",
    [
        [b"POST / HTTP/1.1\r\n", *[b"x: y\r\n"] * 1000],
        [b"\r\n"] * 1000,
        [POST + b"content-length: 1000\r\n\r\n", *[b"a"] * 900],
        [CHUNKED, *[b"1\r\na\r\n"] * 900],
        [CHUNKED + b"0\r\n", *[b"x: y\r\n"] * 900],
        [POST + b"content-length: 0\r\n\r\n", *[b"\r\n"] * 900],
    ],
    ids=["head", "empty lines", "body", "chunks", "trailers", "empty lines after a request"],
)
@pytest.mark.parametrize("reads_bodies", [True, False])
async def test_a_request_that_drips_is_ended_by_the_timer(echo: Echo, parts: list[bytes], reads_bodies: bool):
    echo.reads_bodies = reads_bodies
    async with serve_http(echo, Impatient) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))

        async def drip() -> None:
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(TIMEOUT):
            with contextlib.suppress(ConnectionError):
                while await reader.read(65_536):
                    pass
        assert not dripping.done()  # it was the server that ended it
        dripping.cancel()
        writer.close()


async def test_an_answer_that_nobody_reads_is_ended_by_the_timer():
    """Less than the transport reports as congestion, so that only the end of the connection is left to wait for."""
    lost = asyncio.Event()

    class Watched(Impatient):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost.set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"a" * 60_000})

    async with serve_http(app, Watched) as url:
        host, port = url.removeprefix("http://").split(":")
        with sockets.socket() as raw:
            raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 2048)
            raw.setblocking(False)
            await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
            for _ in range(100):
                await asyncio.get_running_loop().sock_sendall(raw, POST + b"content-length: 0\r\n\r\n")
            async with asyncio.timeout(TIMEOUT):
                await lost.wait()


async def test_a_handshake_that_nobody_answers_is_ended_by_the_timer():
    class ImpatientSocket(SocketProtocol):
        handshake_timeout: ClassVar[float] = 0.2

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    async with serve_http(app, ws=ImpatientSocket, timeout_graceful_shutdown=1) as url, connected(url) as connection:
        await connection.send(HANDSHAKE + b"\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert await connection.is_closed()


# Old clients


async def test_a_client_of_http_1_0_gets_a_body_that_ends_with_the_connection():
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await send({"type": "http.response.body", "body": b"data: 2\n\n", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async with serve_http(app) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        async with asyncio.timeout(TIMEOUT):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body == b"data: 1\n\ndata: 2\n\n"


# One reading of every request


@pytest.mark.parametrize(
    "header", [b"authorization: Bearer a", b"host: y", b"content-type: text/plain", b"origin: https://a.example"]
)
@pytest.mark.parametrize("head", [POST, HANDSHAKE], ids=["request", "handshake"])
async def test_a_header_that_must_be_single_is_refused_when_it_is_repeated(
    connection: Connection, head: bytes, header: bytes
):
    message = refusal(await connection.asks(head + header + b"\r\n" + header + b"\r\n\r\n"), 400)
    assert header.partition(b":")[0].decode().title() in message


async def test_two_lengths_are_refused(connection: Connection):
    refusal(await connection.asks(POST + b"content-length: 5\r\ncontent-length: 5\r\n\r\nhello"), 400)


async def test_a_refusal_waits_for_the_answers_before_it(connection: Connection):
    await connection.send(POST + b"content-length: 0\r\n\r\n" + b"BROKEN\r\n\r\n")
    seen(await connection.response())
    assert await connection.is_closed()


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"http://y.example", "/", ""),
        (b"http://y.example?a=b", "/", "a=b"),
        (b"HTTP://y.example/c?a=b", "/c", "a=b"),
        (b"https://y.example:8443/c", "/c", ""),
    ],
)
async def test_a_target_may_be_a_url_and_its_host_counts(connection: Connection, target: bytes, path: str, query: str):
    answer = await connection.asks(b"GET " + target + b" HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (seen(answer)["path"], seen(answer)["query"]) == (path, query)
    (host,) = (value for name, value in seen(answer)["headers"] if name == "host")  # type: ignore[attr-defined]
    assert host.startswith("y.example")


@pytest.mark.parametrize("target", [b"http://user@y.example/", b"ftp://y.example/", b"http:///x", b"y.example"])
async def test_a_target_that_is_neither_a_path_nor_a_plain_url_is_refused(connection: Connection, target: bytes):
    refusal(await connection.asks(b"GET " + target + b" HTTP/1.1\r\nhost: x\r\n\r\n"), 400)
