"""The GraphQL endpoint over HTTP, from outside."""

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from app.config import DocumentMode
from app.domain.errors import Forbidden, RateLimited, ServiceUnavailable
from app.transport.persisted_documents.resolve import Documents
from app.transport.persisted_documents.trusted import TrustedDocuments
from tests.support.graphql.sample_server import SampleApp

STANDARD = {"accept": "application/graphql-response+json"}
JSON = {"content-type": "application/json"}
SAME_ORIGIN = {"sec-fetch-mode": "cors"}


def client_of(sample: SampleApp) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(sample), base_url="http://board.example/graphql")


async def post(sample: SampleApp, query: str, headers: dict[str, str] = STANDARD, **more: Any) -> httpx2.Response:
    async with client_of(sample) as client:
        return await client.post("", json={"query": query, **more}, headers=headers)


async def get(
    sample: SampleApp, headers: dict[str, str] = STANDARD, method: str = "GET", **params: str
) -> httpx2.Response:
    async with client_of(sample) as client:
        return await client.request(method, "", params=params, headers={**SAME_ORIGIN, **headers})


async def send(
    sample: SampleApp, content: bytes | AsyncIterator[bytes], headers: dict[str, str] = JSON
) -> httpx2.Response:
    async with client_of(sample) as client:
        return await client.post("", content=content, headers=headers)


def code(response: httpx2.Response) -> str:
    assert "data" not in response.json()
    (error,) = response.json()["errors"]
    found: str = error["extensions"]["code"]
    return found


@pytest.fixture
async def sample() -> SampleApp:
    return SampleApp()


async def test_a_query_is_answered_in_the_type_the_client_likes(sample: SampleApp):
    for accept in ("application/graphql-response+json", "application/json"):
        response = await post(sample, "{hello}", {"accept": accept})
        assert response.status_code == 200
        assert response.headers["content-type"] == f"{accept}; charset=utf-8"
        assert response.headers["vary"] == "Accept"
        assert response.json() == {"data": {"hello": "hello world"}}


async def test_variables_and_operation_names_are_used(sample: SampleApp):
    query = "query A($n:String!){hello(name:$n)} query B{counter}"
    response = await post(sample, query, operationName="A", variables={"n": "you 🏃"})
    assert response.json() == {"data": {"hello": "hello you 🏃"}}


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("{nothing}", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("{" + "hello " * 400 + "}", {}, "QUERY_TOO_COMPLEX"),
        ("query($n:String!){hello(name:$n)}", {}, "BAD_USER_INPUT"),
        ("query A{hello} query B{hello}", {}, "BAD_USER_INPUT"),
    ],
)
async def test_a_refused_request_is_400_by_the_standard_and_200_in_plain_json(
    sample: SampleApp, query: str, variables: dict[str, Any], expected: str
):
    standard = await post(sample, query, variables=variables)
    plain = await post(sample, query, {"accept": "application/json"}, variables=variables)
    assert (standard.status_code, code(standard)) == (400, expected)
    assert (plain.status_code, code(plain)) == (200, expected)


@pytest.mark.parametrize(
    ("error", "status", "header"),
    [
        (RateLimited(17), 429, ("retry-after", "17")),
        (ServiceUnavailable(2), 503, ("retry-after", "2")),
        (Forbidden(), 403, None),
    ],
)
async def test_a_refusal_of_the_guard_has_its_status_and_says_when_to_come_back(
    sample: SampleApp, error: Exception, status: int, header: tuple[str, str] | None
):
    sample.refuse_with = error
    for accept, expected in (("application/graphql-response+json", status), ("application/json", 200)):
        response = await post(sample, "{hello}", {"accept": accept})
        assert response.status_code == expected
        assert code(response) == error.code  # type: ignore[attr-defined]
        if header is not None:
            assert response.headers[header[0]] == header[1]


async def test_a_bad_access_token_is_challenged(sample: SampleApp):
    bad = await post(sample, "{hello}", {**STANDARD, "authorization": "Bearer bad"})
    assert (bad.status_code, code(bad), bad.headers["www-authenticate"]) == (401, "UNAUTHENTICATED", "Bearer")
    expired = await post(sample, "{hello}", {**STANDARD, "authorization": "Bearer expired"})
    assert expired.status_code == 401
    assert expired.json()["errors"][0]["extensions"]["reason"] == "TOKEN_EXPIRED"
    assert 'error="invalid_token"' in expired.headers["www-authenticate"]


async def test_what_is_unexpected_is_masked(sample: SampleApp):
    response = await post(sample, "{hello}", {**STANDARD, "authorization": "Bearer crash"})
    assert (response.status_code, code(response)) == (500, "INTERNAL_SERVER_ERROR")
    assert "secret" not in response.text
    partial = await post(sample, "{hello broken}")
    assert partial.status_code == 200
    assert partial.json()["data"] == {"hello": "hello world", "broken": None}
    assert "secret" not in partial.text


async def test_an_answer_with_data_is_200_even_when_fields_failed(sample: SampleApp):
    response = await post(sample, "{hello limited}")
    assert (response.status_code, response.headers["retry-after"]) == (200, "7")
    assert response.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert (await post(sample, "{viewer}")).json()["data"] is None


async def test_the_guard_sees_every_operation_and_every_refused_document(sample: SampleApp):
    await post(sample, "{hello}")
    await post(sample, "{nothing}")
    assert [operation and operation.root_fields for operation in sample.admitted] == [("hello",), None]


async def test_an_execution_that_takes_too_long_is_given_up():
    sample = SampleApp(operations={"execution_timeout": 0.05})
    response = await post(sample, "{slow}")
    assert (response.status_code, code(response)) == (503, "SERVICE_UNAVAILABLE")
    assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"\x00\xff",
        b"[" * 60_000,
        b'{"query":' * 7_000,
        b'{"query":"\xff"}',
        b'{"query":"\\ud800"}',
        b'{"query":"{hello}","variables":{"x":NaN}}',
        b'{"query":"{hello}","query":"{counter}"}',
        '{"query":"{hello}"}'.encode("utf-16"),
        b'[{"query":"{hello}"}]',
        b'"{hello}"',
        b"{}",
        b'{"query":null}',
        b'{"query":""}',
        b'{"query":7}',
        b'{"query":"{hello}","variables":"x"}',
        b'{"query":"{hello}","extensions":[]}',
        b'{"query":"{hello}","extensions":{"persistedQuery":7}}',
        b'{"query":"{hello}","operationName":{}}',
        b'{"documentId":{}}',
    ],
)
async def test_every_malformed_body_gets_a_clear_400(sample: SampleApp, body: bytes):
    response = await send(sample, body)
    assert (response.status_code, code(response)) == (400, "BAD_REQUEST")
    assert response.headers["content-type"].startswith("application/json")
    assert sample.admitted == []


async def test_a_byte_order_mark_does_no_harm(sample: SampleApp):
    assert (await send(sample, b'\xef\xbb\xbf{"query":"{hello}"}')).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": 'Application/JSON;charset="UTF-8"'}, 200),
        ({"content-type": "application/json; charset=utf-16"}, 415),
        ({"content-type": "application/graphql"}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
        ({"content-type": "text/plain", "apollo-require-preflight": "1"}, 415),
        ({"content-type": "text/plain"}, 400),
        ({"content-type": "application/x-www-form-urlencoded"}, 400),
        ({}, 400),
    ],
)
async def test_only_uncompressed_json_in_utf_8_is_read(sample: SampleApp, headers: dict[str, str], status: int):
    response = await send(sample, b'{"query":"{hello}"}', headers)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("application/json")


async def test_a_body_over_the_limit_is_refused_declared_or_not(sample: SampleApp):
    body = json.dumps({"query": "{hello}" + " " * 70_000}).encode()

    async def chunked() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    for content in (body, chunked()):
        response = await send(sample, content)
        assert (response.status_code, code(response)) == (413, "BAD_REQUEST")
        assert response.headers["connection"] == "close"


async def test_a_body_that_does_not_arrive_is_not_waited_for():
    sample = SampleApp(settings={"body_timeout": 0.05})
    arrived = [{"type": "http.request", "body": b'{"query":', "more_body": True}]
    sent: list[Any] = []

    async def receive() -> Any:
        if not arrived:
            await sample.counter.released.wait()
        return arrived.pop()

    async def keep(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": headers}
    await sample(scope, receive, keep)
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_a_type_that_is_not_offered_is_not_acceptable(sample: SampleApp):
    response = await post(sample, "{hello}", {"accept": "text/html"})
    assert (response.status_code, code(response)) == (406, "BAD_REQUEST")


async def test_methods_other_than_get_and_post_are_not_allowed(sample: SampleApp):
    for method in ("PUT", "PATCH", "DELETE", "TRACE"):
        response = await get(sample, method=method, query="{hello}")
        assert (response.status_code, code(response)) == (405, "BAD_REQUEST")
        assert response.headers["allow"] == "GET, HEAD, POST, OPTIONS"
    options = await get(sample, method="OPTIONS")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")


async def test_a_query_may_come_by_get(sample: SampleApp):
    response = await get(sample, query="query A($n:String!){hello(name:$n)}", variables='{"n":"é"}', operationName="A")
    assert (response.status_code, response.json()) == (200, {"data": {"hello": "hello é"}})


async def test_a_mutation_by_get_is_not_executed(sample: SampleApp):
    for method in ("GET", "HEAD"):
        response = await get(sample, method=method, query="mutation{move}")
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert sample.counter.value == 0
    assert sample.admitted == []


async def test_a_get_that_another_site_could_have_caused_is_refused(sample: SampleApp):
    async with client_of(sample) as client:
        bare = await client.get("", params={"query": "{hello}"})
        announced = await client.get("", params={"query": "{hello}"}, headers={"apollo-require-preflight": "1"})
    assert (bare.status_code, code(bare)) == (400, "BAD_REQUEST")
    assert announced.status_code == 200


async def test_a_long_query_string_is_refused():
    response = await get(SampleApp(settings={"max_body_bytes": 1000}), query="{hello}" + "," * 1000)
    assert (response.status_code, code(response)) == (414, "BAD_REQUEST")


async def test_an_unchanged_answer_to_a_get_is_304(sample: SampleApp):
    first = await get(sample, query="{counter}")
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["vary"] == "Accept, Authorization"
    for held in (tag, f'"x", {tag}', tag.removeprefix("W/"), "*"):
        renew = await get(sample, {**STANDARD, "if-none-match": held}, query="{counter}")
        assert (renew.status_code, renew.content, renew.headers["etag"]) == (304, b"", tag)
        assert "content-length" not in renew.headers
    await sample.counter.increment()
    changed = await get(sample, {**STANDARD, "if-none-match": tag}, query="{counter}")
    assert (changed.status_code, changed.json()) == (200, {"data": {"counter": 1}})


async def test_answers_with_errors_and_answers_to_post_have_no_etag(sample: SampleApp):
    for response in (
        await get(sample, query="{limited}"),
        await get(sample, query="{nothing}"),
        await post(sample, "{counter}"),
    ):
        assert "etag" not in response.headers
        assert response.headers["cache-control"] == "no-store"


async def test_head_tells_what_get_would(sample: SampleApp):
    head, full = await get(sample, method="HEAD", query="{hello}"), await get(sample, query="{hello}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == full.headers["etag"]
    assert head.headers["content-length"] == full.headers["content-length"]


async def test_a_subscription_by_plain_post_is_refused_with_the_way_to_do_it(sample: SampleApp):
    for accept in ("application/json", "application/graphql-response+json", "*/*"):
        response = await post(sample, "subscription{counter}", {"accept": accept})
        assert (response.status_code, code(response)) == (406, "BAD_REQUEST")
        assert "text/event-stream" in response.text
    assert sample.counter.watchers == 0


class Shelf:
    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    async def get(self, digest: str) -> str | None:
        return self.texts.get(digest)

    async def put(self, digest: str, text: str) -> None:
        self.texts[digest] = text


def persisted(query: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(query.encode()).hexdigest()}}


async def test_a_persisted_query_is_sent_once_and_then_named():
    sample = SampleApp(documents=Documents(store=Shelf()))
    extensions = json.dumps(persisted("{hello}"))
    unknown = await get(sample, extensions=extensions)
    assert (unknown.status_code, code(unknown)) == (200, "PERSISTED_QUERY_NOT_FOUND")
    assert (await post(sample, "{hello}", extensions=persisted("{hello}"))).status_code == 200
    assert (await get(sample, extensions=extensions)).json() == {"data": {"hello": "hello world"}}
    plain = await get(sample, {"accept": "application/json"}, extensions=json.dumps(persisted("{counter}")))
    assert (plain.status_code, plain.json()["errors"][0]["message"]) == (200, "PersistedQueryNotFound")


async def test_a_document_that_is_not_valid_is_not_persisted():
    shelf = Shelf()
    sample = SampleApp(documents=Documents(store=shelf))
    assert (await post(sample, "{nothing}", extensions=persisted("{nothing}"))).status_code == 400
    assert shelf.texts == {}


async def test_with_an_enforced_manifest_only_trusted_documents_run():
    trusted = TrustedDocuments({"board": "{hello}"})
    sample = SampleApp(documents=Documents(trusted=trusted, mode=DocumentMode.ENFORCE))
    async with client_of(sample) as client:
        by_id = await client.post("", json={"documentId": "board"}, headers=STANDARD)
    assert by_id.json() == {"data": {"hello": "hello world"}}
    refused = await post(sample, "{counter}")
    assert (refused.status_code, code(refused)) == (400, "QUERY_NOT_IN_SAFELIST")
