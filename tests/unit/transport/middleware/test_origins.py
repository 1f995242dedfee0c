from typing import Any

import httpx2
import pytest
from starlette.responses import PlainTextResponse

from app.transport.middleware.origins import AllowedHosts, Origins
from tests.support.runtime import runtime_for


def scope(**headers: str) -> dict[str, Any]:
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "websocket", "path": "/graphql", "headers": pairs}


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "board.example", True),  # no browser
        ("https://app.example", "board.example", True),
        ("HTTPS://APP.example", "board.example", True),
        ("https://app.example:8443", "board.example", False),
        ("http://app.example", "board.example", False),
        ("https://app.example.evil.example", "board.example", False),
        ("https://evil.example", "board.example", False),
        ("https://board.example", "board.example", True),  # our own page
        ("https://board.example", "board.example:443", True),
        ("http://localhost:8000", "localhost:8000", True),
        ("http://localhost:3000", "localhost:8000", False),
        ("null", "board.example", False),
        ("", "board.example", False),
        ("https://", "", False),
        ("\xff", "board.example", False),
    ],
)
def test_a_page_may_open_a_socket_when_its_origin_is_ours_or_listed(origin: str | None, host: str, allowed: bool):
    headers = {"host": host} if origin is None else {"host": host, "origin": origin}
    assert Origins(["https://app.example/"]).allows(scope(**headers)) is allowed


def test_a_star_allows_every_origin():
    assert Origins(["*"]).allows(scope(host="board.example", origin="https://evil.example"))


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("board.example", True),
        ("BOARD.example:8000", True),
        ("board.example.", True),
        ("eu.board.example", True),
        ("evil.example", False),
        ("board.example.evil.example", False),
        ("notboard.example", False),
        ("127.0.0.1:8000", True),
        ("127.0.0.2", False),
        ("[::1]:8000", True),
        ("[::2]", False),
        ("", False),
    ],
)
def test_only_our_own_host_names_are_served(host: str, allowed: bool):
    hosts = ["board.example", "*.board.example", "127.0.0.1", "[::1]"]
    assert AllowedHosts(PlainTextResponse("ok"), hosts, runtime_for()).allows(scope(host=host)) is allowed


def test_a_request_names_its_host_exactly_once():
    hosts = AllowedHosts(PlainTextResponse("ok"), ["board.example"], runtime_for())
    twice = {"headers": [(b"host", b"board.example"), (b"host", b"board.example")]}
    assert not hosts.allows({"headers": []})
    assert not hosts.allows(twice)


async def test_a_foreign_host_gets_a_clear_answer_but_probes_pass():
    app = AllowedHosts(PlainTextResponse("ok"), ["board.example"], runtime_for(), exempt=["/livez"])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://rebound.example") as client:
        refused = await client.get("/graphql")
        probe = await client.get("/livez")
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (421, "BAD_REQUEST")
    assert probe.text == "ok"


async def test_a_socket_for_a_foreign_host_is_refused_before_it_opens():
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    app = AllowedHosts(PlainTextResponse("ok"), ["board.example"], runtime_for())
    await app(scope(host="rebound.example"), None, send)  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == ["websocket.close"]
