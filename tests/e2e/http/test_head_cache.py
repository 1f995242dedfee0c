"""Requests with cached heads: answered without parsing the head, and no differently."""

import asyncio
import json
import re
from collections.abc import Sequence
from functools import partial

import pytest

from app.config import Settings
from app.domain.errors import RateLimited
from app.transport.http.response_cache import ResponseCache
from app.transport.middleware.cors import allow_origins
from app.transport.middleware.origins import AllowedHosts
from app.transport.middleware.request_ids import RequestIds
from app.transport.middleware.security_headers import SecurityHeaders
from tests.support.graphql.raw_http import connected
from tests.support.graphql.sample_schema import SampleContext
from tests.support.graphql.sample_server import SampleApp, serve_http
from tests.support.metrics import metrics_of
from tests.support.runtime import runtime_for
from tests.support.service import Service, access_token, serving
from tests.support.wait_until import until

MIDDLEWARE = (
    partial(allow_origins, origins=["https://game.example"]),
    partial(SecurityHeaders, https_only=True),
    partial(AllowedHosts, hosts=["x"], runtime=runtime_for()),
    partial(RequestIds, make_request_id=lambda: "made-here"),
)


def post(query: str | bytes, *lines: bytes, variables: object = None, size: int = 200) -> bytes:
    """A request with a body of `size` bytes: the same head for every query."""
    body = query if isinstance(query, bytes) else json.dumps({"query": query, "variables": variables}).encode()
    body = body.ljust(size)
    head = b"\r\n".join((b"POST / HTTP/1.1", b"host: x", b"content-type: application/json", *lines))
    return head + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body


HELLO = post("{hello}")


def lines(head: bytes) -> list[bytes]:
    return sorted(line for line in head.split(b"\r\n") if not line.startswith(b"date: "))


async def test_trailers_do_not_become_headers_of_requests_from_the_cache(service: Service):
    """A client must not choose its address behind a proxy, with which limits and blocks count."""
    body = b'{"query":"{__typename}"}'
    head = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    chunked = head + b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n" % (len(body), body)
    async with connected(service.url) as connection:
        for _ in range(3):
            reply, _ = await connection.asks(chunked + b"X-Request-Id: chosen-by-a-trailer\r\n\r\n")
            assert b"chosen-by-a-trailer" not in reply
            reply, _ = await connection.asks(head + b"content-length: %d\r\n\r\n" % len(body) + body)
            assert b"chosen-by-a-trailer" not in reply


async def test_the_second_request_with_the_same_head_is_answered_from_the_cache():
    sample = SampleApp()
    async with serve_http(sample, use_head_cache=True) as url, connected(url) as connection:
        await connection.asks(HELLO)
        assert sample.request_head_cache.hits == 0
        _, body = await connection.asks(post('{hello(name:"you")}'))
    assert json.loads(body) == {"data": {"hello": "hello you"}}
    assert sample.request_head_cache.hits == 1


async def test_every_answer_has_a_date():
    async with serve_http(SampleApp(), use_head_cache=True, date_header=True) as url, connected(url) as connection:
        for _ in range(3):
            head, _ = await connection.asks(HELLO)
            assert len(re.findall(rb"\r\ndate: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", head)) == 1


KINDS: Sequence[tuple[bytes, ...]] = [
    (),
    (b"accept: application/json",),
    (b"accept: application/graphql-response+json",),
    (b"accept: application/graphql-response+json, text/event-stream",),
    (b"origin: https://game.example",),
    (b"origin: https://other.example",),
    (b"x-request-id: my-own.1",),
    (b"x-request-id: not usable",),
    (b"authorization: Bearer ann",),
    (b"connection: keep-alive", b"user-agent: me"),
]
FOLLOWING = [
    post("{hello}"),
    post("{viewer}"),
    post("mutation{move}"),
    post("{node{id child{id}}}"),
    post("query($name:String!){hello(name:$name)}", variables={"name": "you"}),
    post("query($name:String!){hello(name:$name)}", variables={"name": 1}),
    post("{limited}"),
    post("{broken}"),
    post("{nothing}"),
    post("{"),
    post("subscription{countdown}"),
    post(b'{"query":'),
    post(b"[]"),
    post(b" "),
    post(b'{"query":"{hello}","query":"{viewer}"}'),
    post(b'{"query":"{hello}","extensions":{"persistedQuery":{"version":2}}}'),
    post("{hello}", size=300),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: b" ".join(kind).decode() or "plain")
async def test_a_cached_head_is_answered_as_a_parsed_one(kind: tuple[bytes, ...]):
    answers = {}
    hits = {}
    for caching in (False, True):
        sample = SampleApp(middleware=MIDDLEWARE)
        async with serve_http(sample, use_head_cache=caching) as url, connected(url) as connection:
            requests = [
                request.replace(b"content-length", b"\r\n".join((*kind, b"content-length")), 1)
                for request in (HELLO, *FOLLOWING)
            ]
            answers[caching] = []
            for request in requests:
                head, body = await connection.asks(request)
                answers[caching].append((lines(head), body))
            hits[caching] = sample.request_head_cache.hits
    assert answers[True] == answers[False]
    # The head of a client that also accepts streams is not cached, and a body of another length has another head.
    assert hits == {False: 0, True: 0 if any(b"event-stream" in line for line in kind) else len(FOLLOWING) - 1}


@pytest.mark.parametrize(
    "special",
    [
        b"connection: close",
        b"expect: 100-continue",
        b"te: trailers",
        b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ],
)
async def test_a_head_with_a_special_header_is_not_cached(special: bytes):
    sample = SampleApp()
    async with serve_http(sample, use_head_cache=True) as url:
        for _ in range(2):
            async with connected(url) as connection:
                await connection.send(post("{hello}", special))
                head, _ = await connection.response()
                if b" 100 " in head:
                    await connection.response()
    assert sample.request_head_cache.hits == 0


async def test_other_methods_and_chunked_bodies_are_not_cached():
    sample = SampleApp()
    get = b"GET /?query=%7Bhello%7D HTTP/1.1\r\nhost: x\r\napollo-require-preflight: 1\r\n\r\n"
    body = b'{"query":"{hello}"}'
    chunked = (
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    )
    async with serve_http(sample, use_head_cache=True) as url, connected(url) as connection:
        for request in (get, get, chunked, chunked):
            _, answer = await connection.asks(request)
            assert json.loads(answer) == {"data": {"hello": "hello world"}}
    assert sample.request_head_cache.hits == 0


async def test_the_head_of_a_refused_request_is_not_cached():
    sample = SampleApp()
    async with serve_http(sample, use_head_cache=True) as url, connected(url) as connection:
        for _ in range(2):
            await connection.asks(post("{viewer}", b"authorization: Bearer bad"))
            await connection.asks(post("{nothing}"))
    assert sample.request_head_cache.hits == 0


async def test_a_head_from_another_address_is_cached_separately():
    sample = SampleApp()
    async with serve_http(sample, use_head_cache=True) as url:
        async with connected(url) as connection:
            await connection.asks(HELLO)
        async with connected(url, source="127.0.0.2") as elsewhere:
            await elsewhere.asks(HELLO)
            assert sample.request_head_cache.hits == 0
            await elsewhere.asks(HELLO)
            assert sample.request_head_cache.hits == 1


async def test_the_head_of_a_caller_who_must_be_checked_again_is_parsed():
    sample = SampleApp()
    request = post("{viewer}", b"authorization: Bearer ann")
    async with serve_http(sample, use_head_cache=True) as url, connected(url) as connection:
        await connection.asks(request)
        sample.not_renewable.add("ann")
        _, body = await connection.asks(request)
    assert json.loads(body) == {"data": {"viewer": "ann"}}
    assert sample.request_head_cache.hits == 0


async def test_each_token_gets_the_answer_of_its_own_bearer():
    sample = SampleApp()
    async with serve_http(sample, use_head_cache=True) as url, connected(url) as connection:
        for _ in range(3):
            for name in ("ann", "bob"):
                _, body = await connection.asks(post("{viewer}", b"authorization: Bearer " + name.encode()))
                assert json.loads(body) == {"data": {"viewer": name}}
    assert sample.request_head_cache.hits == 4


async def test_every_request_with_a_cached_head_is_admitted():
    sample = SampleApp()
    async with serve_http(sample, use_head_cache=True) as url, connected(url) as connection:
        await connection.asks(HELLO)
        await connection.asks(HELLO)
        assert len(sample.admitted) == 2
        sample.refuse_with = RateLimited(7)
        head, body = await connection.asks(HELLO)
    assert sample.request_head_cache.hits == 2
    assert b"retry-after: 7" in head
    assert json.loads(body)["errors"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_a_query_with_a_cached_body_is_executed_on_the_present_state():
    sample = SampleApp()
    async with serve_http(sample, use_head_cache=True) as url, connected(url) as connection:
        seen = []
        for _ in range(3):
            _, body = await connection.asks(post("{counter}"))
            seen.append(json.loads(body)["data"]["counter"])
            await connection.asks(post("mutation{move}"))
    assert seen == [0, 1, 2]


async def test_requests_after_one_with_a_cached_head_are_answered_in_order():
    sample = SampleApp()
    toy_slow = post("{slow}")
    async with serve_http(sample, use_head_cache=True) as url, connected(url) as connection:
        await connection.asks(HELLO)
        await connection.send(toy_slow + HELLO + post("{counter}"))
        await connection.send(b"GET /?query=%7Bcounter%7D HTTP/1.1\r\nhost: x\r\napollo-require-preflight: 1\r\n\r\n")
        await until(lambda: len(sample.admitted) == 2)
        sample.counter.released.set()
        bodies = [json.loads((await connection.response())[1])["data"] for _ in range(4)]
    assert bodies == [{"slow": "done"}, {"hello": "hello world"}, {"counter": 0}, {"counter": 0}]


async def test_requests_that_arrive_during_an_answer_are_answered_in_order():
    sample = SampleApp()
    async with serve_http(sample, use_head_cache=True) as url, connected(url) as connection:
        await connection.asks(HELLO)
        await connection.send(post("{slow}"))
        await until(lambda: len(sample.admitted) == 2)
        await connection.send(HELLO[:50])
        await connection.send(HELLO[50:] + HELLO)
        sample.counter.released.set()
        bodies = [json.loads((await connection.response())[1])["data"] for _ in range(3)]
    assert bodies == [{"slow": "done"}, {"hello": "hello world"}, {"hello": "hello world"}]


async def test_a_request_with_a_cached_head_may_arrive_in_pieces():
    sample = SampleApp()
    async with serve_http(sample, use_head_cache=True) as url, connected(url) as connection:
        await connection.asks(HELLO)
        for cut in (1, 30, HELLO.index(b"\r\n\r\n") + 4, len(HELLO) - 1):
            await connection.send(HELLO[:cut])
            await asyncio.sleep(0.02)  # lets the pieces arrive as pieces
            _, body = await connection.asks(HELLO[cut:])
            assert json.loads(body) == {"data": {"hello": "hello world"}}


async def test_a_connection_is_kept_alive_after_a_request_with_a_cached_head():
    sample = SampleApp()
    loop = asyncio.get_running_loop()
    keep_alive = 3
    async with (
        serve_http(sample, use_head_cache=True, timeout_keep_alive=keep_alive) as url,
        connected(url) as connection,
    ):
        await connection.asks(HELLO)
        await asyncio.sleep(0.5)  # the client rests
        asked = loop.time()
        await connection.asks(HELLO)
        assert await connection.is_closed()
        assert loop.time() >= asked + keep_alive
    assert sample.request_head_cache.hits == 1


async def test_an_answer_under_way_is_finished_before_the_server_stops():
    sample = SampleApp()
    server = serve_http(sample, use_head_cache=True)
    async with connected(await server.__aenter__()) as connection:
        await connection.asks(HELLO)
        await connection.send(post("{slow}"))
        await until(lambda: len(sample.admitted) == 2)
        stopping = asyncio.create_task(server.__aexit__(None, None, None))
        asyncio.get_running_loop().call_later(0.2, sample.counter.released.set)
        _, body = await connection.response()
        assert json.loads(body) == {"data": {"slow": "done"}}
        assert await connection.is_closed()
        await stopping


async def test_a_client_that_disconnects_does_not_stop_its_mutation():
    sample = SampleApp()
    async with serve_http(sample, use_head_cache=True) as url:
        async with connected(url) as connection:
            await connection.asks(HELLO)
            await connection.send(post("mutation{move}"))
            await until(lambda: len(sample.admitted) == 2)
        await until(lambda: sample.counter.value == 1)


async def test_cached_responses_do_not_contain_the_data_of_another_viewer():
    sample = SampleApp()
    sample.endpoint._response_cache = ResponseCache(lambda dependencies: SampleContext(sample.counter), 100_000)
    async with serve_http(sample, use_head_cache=True) as url, connected(url) as connection:
        for name in ("ann", "bob", "ann", "bob"):
            request = post("{viewer hello}", b"authorization: Bearer " + name.encode())
            _, body = await connection.asks(request)
            assert json.loads(body)["data"]["viewer"] == name


def real(service: Service, query: str, token: str) -> bytes:
    """A request to the service itself."""
    return (
        post(query, b"authorization: Bearer " + token.encode())
        .replace(b"POST /", b"POST /graphql", 1)
        .replace(b"host: x", b"host: localhost", 1)
    )


async def hits(service: Service) -> int:
    """How many requests were answered from the cache so far."""
    return int((await metrics_of(service))['leaderboard_cache_requests_total{cache="request_heads",result="hit"}'])


async def test_the_service_answers_cached_heads_and_counts_them(service: Service):
    token = access_token(service.settings, "alice")
    async with connected(service.url) as connection:
        for query in ("{ me { user { username } } }", "{ leaderboard { totalUsers } }", "{ me { user { username } } }"):
            _, body = await connection.asks(real(service, query, token))
            assert "errors" not in json.loads(body)
    assert json.loads(body)["data"]["me"]["user"]["username"] == "alice"
    assert await hits(service) == 2


async def test_an_expired_token_is_refused_with_a_cached_head_too(service: Service):
    request = real(service, "{ leaderboard { totalUsers } }", access_token(service.settings, "alice", ttl=2))
    async with connected(service.url) as connection:
        for _ in range(2):
            _, body = await connection.asks(request)
            assert "errors" not in json.loads(body)
        while "errors" not in (answer := json.loads((await connection.asks(request))[1])):
            pass
    assert answer["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED", "reason": "TOKEN_EXPIRED"}


async def test_limits_count_every_request_with_a_cached_head(settings: Settings):
    limited = settings.model_copy(update={"rate_limit_enabled": True, "rate_limit_query_per_user": 5})
    async with serving(limited) as service, connected(service.url) as connection:
        request = real(service, "{ leaderboard { totalUsers } }", access_token(limited, "alice"))
        answers = [json.loads((await connection.asks(request))[1]) for _ in range(7)]
        assert await hits(service) == 6
    codes = [answer["errors"][0]["extensions"]["code"] if "errors" in answer else None for answer in answers]
    assert codes == [None] * 5 + ["RATE_LIMITED"] * 2


async def test_the_service_answers_the_same_with_the_cache_on_and_off(settings: Settings):
    token = access_token(settings, "alice")
    queries = (
        "{ me { user { username } } }",
        "{ leaderboard { totalUsers entries { rank score } } }",
        "{ actions { id points } }",
        "{ nothing }",
        "{",
        'mutation { submitScore(input: {actionToken: "none"}) { ... on UserError { code } } }',
        "{ me { user { username } } }",
    )
    answers, counts = {}, {}
    for enabled in (True, False):
        async with (
            serving(settings.model_copy(update={"request_head_cache": enabled})) as service,
            connected(service.url) as connection,
        ):
            requests = [
                real(service, query, token).replace(b"content-length", b"x-request-id: mine\r\ncontent-length", 1)
                for query in queries
            ]
            answers[enabled] = []
            for request in requests:
                head, body = await connection.asks(request)
                answers[enabled].append((lines(head), body))
            counts[enabled] = await hits(service)
    assert answers[True] == answers[False]
    assert counts == {True: len(queries) - 1, False: 0}
