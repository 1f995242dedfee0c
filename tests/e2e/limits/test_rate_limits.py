"""Rate limits as clients meet them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from app.config import Settings
from tests.support.graphql.socket_client import SocketClient, connected, connecting
from tests.support.service import ISSUE, SUBMIT, Player, Service, serving, settings_for

QUERY = "{ categories { id } }"


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return settings_for(
        database_url,
        redis_url,
        rate_limit_enabled=True,
        rate_limit_query_per_user=5,
        rate_limit_submit_per_user=3,
        rate_limit_anonymous_per_address=4,
        rate_limit_block_overruns=6,
    )


def outcome(response: httpx2.Response) -> tuple[int, str | None]:
    body = response.json()
    return response.status_code, body["errors"][0]["extensions"]["code"] if "errors" in body else None


LIMITED = (429, "RATE_LIMITED")


async def test_too_many_requests_get_429_with_a_retry_time(service: Service):
    alice = service.player("alice")
    for _ in range(5):
        assert outcome(await alice.post(QUERY)) == (200, None)
    refused = await alice.post(QUERY)
    assert outcome(refused) == LIMITED
    extensions = refused.json()["errors"][0]["extensions"]
    assert refused.headers["retry-after"] == str(extensions["retryAfter"])
    assert 58 <= extensions["retryAfter"] <= 60
    assert outcome(await service.player("bob").post(QUERY)) == (200, None)


async def test_all_clients_together_are_limited_too(settings: Settings):
    async with serving(settings.model_copy(update={"rate_limit_global_per_second": 1})) as service:
        alice = service.player()
        first, second = await alice.post(QUERY), await alice.post(QUERY)
        assert (outcome(first), outcome(second)) == ((200, None), LIMITED)
        assert second.headers["retry-after"] == "1"


async def test_aliases_do_not_multiply_the_allowance(service: Service):
    alice = service.player()
    aliased = "{ " + " ".join(f"c{n}: categories {{ id }}" for n in range(4)) + " }"
    assert outcome(await alice.post(aliased)) == (200, None)
    assert outcome(await alice.post("{ a: categories { id } b: categories { id } }")) == LIMITED
    assert outcome(await alice.post(QUERY)) == (200, None)
    assert outcome(await alice.post(QUERY)) == LIMITED


async def test_a_document_that_could_never_pass_is_no_matter_of_waiting(service: Service):
    submissions = " ".join(f's{n}: submitScore(input: {{actionToken: "x"}}) {{ __typename }}' for n in range(4))
    refused = await service.player().post(f"mutation {{ {submissions} }}")
    assert outcome(refused) == (400, "BAD_USER_INPUT")
    assert "retry-after" not in refused.headers


async def test_fragments_do_not_hide_fields_from_the_limits(service: Service):
    document = "{ ...A } fragment A on Query { a: categories { id } ...B } fragment B on Query { b: categories { id } }"
    alice = service.player()
    for _ in range(2):
        assert outcome(await alice.post(document)) == (200, None)
    assert outcome(await alice.post(document)) == LIMITED


async def test_submissions_and_queries_are_counted_apart(service: Service):
    alice = service.player()
    for _ in range(3):
        assert outcome(await alice.post(SUBMIT, input={"actionToken": "x"})) == (200, None)
    assert outcome(await alice.post(SUBMIT, input={"actionToken": "x"})) == LIMITED
    assert outcome(await alice.post(QUERY)) == (200, None)
    assert outcome(await alice.post(ISSUE, input={"actionType": "COMPLETE_LEVEL"})) == (200, None)


@pytest.mark.parametrize(
    "document", ["{ nothing }", "{ categories {", "{ " + "a { " * 30 + "}" * 31, "query A { me { openTokens } } {"]
)
async def test_refused_documents_count_too(service: Service, document: str):
    alice = service.player()
    for _ in range(5):
        assert (await alice.post(document)).status_code == 400
    assert outcome(await alice.post(document)) == LIMITED


async def test_unknown_persisted_documents_count_too(service: Service):
    body = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}
    headers = {"accept": "application/graphql-response+json"}
    codes = [outcome(await service.http.post("/graphql", json=body, headers=headers)) for _ in range(5)]
    assert codes == [(200, "PERSISTED_QUERY_NOT_FOUND")] * 4 + [LIMITED]


async def test_bad_tokens_count_as_anonymous_requests(service: Service):
    mallory = Player(service.http, "a.b.c")
    assert [outcome(await mallory.post(QUERY))[0] for _ in range(5)] == [401] * 4 + [429]
    assert outcome(await service.anonymous.post(QUERY)) == LIMITED


async def test_repeated_overruns_block_the_address_for_requests_without_a_token(service: Service):
    waits = []
    for _ in range(12):
        refused = await service.anonymous.post(QUERY)
        waits.append(int(refused.headers.get("retry-after", 0)))
    assert waits[:4] == [0] * 4
    assert all(wait <= 60 for wait in waits[4:9])
    assert all(298 <= wait <= 300 for wait in waits[9:])
    alice = service.player()
    assert [outcome(await alice.post(QUERY)) for _ in range(5)] == [(200, None)] * 5


async def test_repeated_overruns_of_a_user_block_the_user_alone(service: Service):
    alice = service.player("alice")
    waits = [int((await alice.post(QUERY)).headers.get("retry-after", 0)) for _ in range(12)]
    assert waits[:5] == [0] * 5
    assert all(298 <= wait <= 300 for wait in waits[10:])
    assert outcome(await service.player("bob").post(QUERY)) == (200, None)
    assert outcome(await service.anonymous.post(QUERY)) == (200, None)


async def test_a_field_of_viewer_returns_the_remaining_allowances(service: Service):
    alice = service.player()
    await alice.post(SUBMIT, input={"actionToken": "x"})
    me = await alice.ask("{ me { limits { activity limit window remaining resetsIn } } }")
    left: dict[str, Any] = {one.pop("activity"): one for one in me["me"]["limits"]}
    assert left["QUERY"] == {"limit": 5, "window": 60, "remaining": 4, "resetsIn": 60}
    assert left["SUBMIT"] == {"limit": 3, "window": 60, "remaining": 2, "resetsIn": 60}
    assert left["ISSUE"] == {"limit": 60, "window": 60, "remaining": 60, "resetsIn": 0}


@pytest.fixture
async def socket(service: Service) -> AsyncIterator[SocketClient]:
    async with connected(service.socket_url, f"Bearer {service.player('alice').token}") as client:
        yield client


async def test_an_operation_on_a_socket_gets_an_error_and_the_socket_stays(service: Service, socket: SocketClient):
    for _ in range(5):
        await socket.subscribe(QUERY)
        await socket.hear_next()
        assert (await socket.hear())["type"] == "complete"
    await socket.subscribe(QUERY)
    extensions = (await socket.hear_error())["extensions"]
    assert extensions["code"] == "RATE_LIMITED"
    assert 58 <= extensions["retryAfter"] <= 60
    assert outcome(await service.player("alice").post(QUERY)) == LIMITED
    assert await socket.is_alive()


async def test_refused_documents_on_a_socket_count_too(socket: SocketClient):
    codes = []
    for _ in range(6):
        await socket.subscribe("{ nothing }")
        codes.append((await socket.hear_error())["extensions"]["code"])
    assert codes == ["GRAPHQL_VALIDATION_FAILED"] * 5 + ["RATE_LIMITED"]


async def test_the_start_of_a_subscription_counts_as_a_query(socket: SocketClient):
    document = "subscription { leaderboardUpdates { version } }"
    for n in range(5):
        await socket.subscribe(document, id=str(n))
        await socket.hear_next(str(n))
    await socket.subscribe(document, id="x")
    assert (await socket.hear_error("x"))["extensions"]["code"] == "RATE_LIMITED"


async def test_an_anonymous_socket_of_a_blocked_address_is_refused_and_that_of_a_user_is_not(
    service: Service, socket: SocketClient
):
    async with connected(service.socket_url) as anonymous:
        for _ in range(10):
            await service.anonymous.post(QUERY)
        await anonymous.subscribe(QUERY)
        assert (await anonymous.hear_error())["extensions"]["retryAfter"] > 60
    async with connecting(service.socket_url) as other:
        await other.say({"type": "connection_init"})  # The handshake does not tell who it is.
        assert (await other.close_code())[0] == 1013
    await socket.subscribe(QUERY)
    await socket.hear_next()


async def test_an_operation_of_a_blocked_user_is_refused_and_so_is_a_new_socket(service: Service):
    alice = service.player("alice")
    async with connected(service.socket_url, f"Bearer {alice.token}") as socket:
        for _ in range(12):
            await alice.post(QUERY)
        await socket.subscribe(QUERY)
        assert (await socket.hear_error())["extensions"]["retryAfter"] > 60
    async with connecting(service.socket_url) as other:
        await other.say({"type": "connection_init", "payload": {"authorization": f"Bearer {alice.token}"}})
        assert (await other.close_code())[0] == 1013
