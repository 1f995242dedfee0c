"""docker/nginx: TLS, limits by address, and instances that do not answer."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
from starlette.types import Receive, Scope, Send

from tests.support.graphql.sample_server import serve_http
from tests.support.processes.delivered_nginx import Nginx, delivered_nginx, needs_nginx
from tests.support.wait_until import TIMEOUT

pytestmark = needs_nginx

GRAPHQL = "application/graphql-response+json; charset=utf-8"
SMALL_BURST = {"burst=5000 ": "burst=200 "}
SHORT = {"proxy_read_timeout 8s;": "proxy_read_timeout 1s;"}
"""So that a test of a frozen instance does not take 8 seconds."""


async def show_request(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the method and the headers of the request."""
    while (await receive()).get("more_body"):
        pass
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    body = json.dumps({"method": scope["method"], **headers}).encode()
    lengths = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": lengths})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def instance() -> AsyncIterator[int]:
    async with serve_http(show_request) as url:
        yield int(url.rpartition(":")[2])


@asynccontextmanager
async def frozen_instance() -> AsyncIterator[int]:
    """Accept connections and requests, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def client(*, source: str = "127.0.0.1", verify: Any = False) -> httpx2.AsyncClient:
    transport = httpx2.AsyncHTTPTransport(local_address=source, verify=verify)
    return httpx2.AsyncClient(transport=transport, timeout=TIMEOUT)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def with_tls(folder: Path, authority: trustme.CA) -> AsyncIterator[Nginx]:
    issued = authority.issue_cert("localhost", "127.0.0.1")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    for part in issued.cert_chain_pems:
        part.write_to_path(certificate, append=True)
    issued.private_key_pem.write_to_path(key)
    async with instance() as port, delivered_nginx(folder, [port], certificate=certificate, key=key) as nginx:
        yield nginx


async def test_requests_without_tls_are_redirected_with_their_method(tmp_path: Path, authority: trustme.CA):
    async with with_tls(tmp_path, authority) as nginx, client() as http:
        reply = await http.post(f"{nginx.http}/graphql?a=1", json={}, headers={"host": "game.example"})
        assert (reply.status_code, reply.headers["location"]) == (308, "https://game.example/graphql?a=1")
        assert (await http.get(f"{nginx.http}/livez")).status_code == 200  # The check of the container.


async def test_the_service_is_told_that_a_request_came_with_tls(tmp_path: Path, authority: trustme.CA):
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    async with with_tls(tmp_path, authority) as nginx, client(verify=trusted) as http:
        shown = (await http.get(f"{nginx.https}/", headers={"x-forwarded-for": "9.9.9.9"})).json()
    assert (shown["x-forwarded-proto"], shown["x-forwarded-for"]) == ("https", "127.0.0.1")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize(
    ("version", "is_accepted"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
async def test_old_versions_of_tls_are_refused(
    tmp_path: Path, authority: trustme.CA, version: ssl.TLSVersion, is_accepted: bool
):
    context = ssl.create_default_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    authority.configure_trust(context)
    context.minimum_version = context.maximum_version = version
    async with with_tls(tmp_path, authority) as nginx:
        host, port = nginx.https.removeprefix("https://").split(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port), ssl=context)
        except ssl.SSLError:
            assert not is_accepted
        else:
            assert is_accepted
            assert writer.get_extra_info("ssl_object").version() == version.name.replace("v1_", "v1.")
            writer.close()


async def test_too_many_requests_of_an_address_are_refused_as_the_service_does(tmp_path: Path):
    async with instance() as port, delivered_nginx(tmp_path, [port], changes=SMALL_BURST) as nginx:
        async with client() as http, client(source="127.0.0.2") as other:
            replies = []
            while not replies or replies[-1].status_code == 200:
                replies.extend(await asyncio.gather(*(http.get(nginx.http) for _ in range(50))))
                assert len(replies) < 5000
            refused = replies[-1]
            assert refused.status_code == 429
            assert (refused.headers["retry-after"], refused.headers["content-type"]) == ("1", GRAPHQL)
            (error,) = refused.json()["errors"]
            assert error["extensions"] == {"code": "RATE_LIMITED", "retryAfter": 1}
            assert (await other.get(nginx.http)).status_code == 200
        assert len(replies) > 200  # The burst: pages load several files at once.


async def test_networks_of_ones_own_are_not_limited(tmp_path: Path):
    own = {**SMALL_BURST, "# 203.0.113.0/24 0;": "127.0.0.0/8 0;"}
    async with instance() as port, delivered_nginx(tmp_path, [port], changes=own) as nginx, client() as http:
        replies = [await asyncio.gather(*(http.get(nginx.http) for _ in range(50))) for _ in range(10)]
    assert {reply.status_code for batch in replies for reply in batch} == {200}


async def test_a_frozen_instance_costs_readers_no_error(tmp_path: Path):
    async with (
        instance() as good,
        frozen_instance() as frozen,
        delivered_nginx(tmp_path, [frozen, good], changes=SHORT) as nginx,
        client() as http,
    ):
        replies = await asyncio.gather(*(http.get(nginx.http) for _ in range(10)))
    assert [reply.status_code for reply in replies] == [200] * 10


async def test_a_frozen_instance_costs_a_mutation_the_short_time_out_and_it_is_not_sent_twice(tmp_path: Path):
    async with (
        instance() as good,
        frozen_instance() as frozen,
        delivered_nginx(tmp_path, [frozen, good], changes=SHORT) as nginx,
        client() as http,
    ):
        replies = await asyncio.gather(*(http.post(f"{nginx.http}/graphql", json={}) for _ in range(10)))
    timed_out = [reply for reply in replies if reply.status_code == 504]
    assert Counter(reply.status_code for reply in replies) == {200: 5, 504: 5}
    assert timed_out[0].headers["content-type"] == GRAPHQL
    assert timed_out[0].json()["errors"][0]["extensions"] == {"code": "SERVICE_UNAVAILABLE", "retryAfter": 1}


@pytest.mark.parametrize("gone", [[9], [9, 11, 13]], ids=["one", "three"])
async def test_a_mutation_goes_to_another_instance_if_some_cannot_be_reached(tmp_path: Path, gone: list[int]):
    async with instance() as good, delivered_nginx(tmp_path, [*gone, good]) as nginx, client() as http:
        replies = await asyncio.gather(*(http.post(nginx.http, json={}) for _ in range(10)))
    assert {reply.status_code for reply in replies} == {200}


async def test_without_any_instance_the_answer_is_one_of_the_service(tmp_path: Path):
    async with delivered_nginx(tmp_path, [9]) as nginx, client() as http:
        reply = await http.post(nginx.http, json={})
        hidden = [(await http.get(f"{nginx.http}{path}")).status_code for path in ("/metrics", "/readyz")]
    assert (reply.status_code, reply.headers["content-type"], reply.headers["retry-after"]) == (503, GRAPHQL, "1")
    assert reply.json()["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE"
    assert hidden == [404, 404]
