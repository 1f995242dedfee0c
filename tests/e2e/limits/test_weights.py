"""Operations are charged by what they ask of the stores, over every transport."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from app.config import Settings
from tests.support.graphql.socket_client import SocketClient, connected
from tests.support.service import SUBMIT, Player, Service, serving, settings_for

FRIENDS = "query($ids: [ID!]!) { leaderboard { friends(userIds: $ids) { rank } } }"
WATCH_FRIENDS = "subscription($ids: [ID!]!) { leaderboardUpdates { leaderboard { friends(userIds: $ids) { rank } } } }"


def ids(number: int) -> list[str]:
    return [str(uuid4()) for _ in range(number)]


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return settings_for(
        database_url,
        redis_url,
        rate_limit_enabled=True,
        rate_limit_query_per_user=10,
        rate_limit_anonymous_per_address=10,
        max_lookups_per_operation=150,
        max_lookups_per_change=60,
    )


@pytest.fixture
async def socket(service: Service) -> AsyncIterator[SocketClient]:
    async with connected(service.socket_url) as client:
        yield client


def code(response: httpx2.Response) -> str | None:
    body = response.json()
    return body["errors"][0]["extensions"]["code"] if "errors" in body else None


def weight(response: httpx2.Response) -> int:
    number: int = response.json()["extensions"]["cost"]["weight"]
    return number


async def remaining(player: Player) -> int:
    me = await player.ask("{ me { limits { activity remaining } } }")
    return int({one["activity"]: one["remaining"] for one in me["me"]["limits"]}["QUERY"])


async def test_a_plain_query_weighs_one(service: Service):
    alice = service.player()
    for document in ("{ leaderboard { version } }", "{ categories { id } }", "{ actions { id } }"):
        assert weight(await alice.post(document)) == 1
    assert weight(await alice.post("query($id: ID!) { userRank(userId: $id) { rank } }", id=ids(1)[0])) == 1
    assert weight(await alice.post(SUBMIT, input={"actionToken": "x"})) == 1
    assert await remaining(alice) == 10 - 5


async def test_the_same_document_weighs_more_with_more_ids(service: Service):
    alice = service.player()
    assert weight(await alice.post(FRIENDS, ids=ids(19))) == 1
    assert weight(await alice.post(FRIENDS, ids=ids(20))) == 2
    assert weight(await alice.post(FRIENDS, ids=ids(100))) == 6
    assert code(await alice.post(FRIENDS, ids=ids(20))) == "RATE_LIMITED"
    assert code(await alice.post(FRIENDS, ids=ids(1))) is None


async def test_a_list_that_is_scrolled_fast_waits_as_long_as_it_is_told_and_can_jump_at_once(service: Service):
    alice, page = (
        service.player(),
        "query($rank: Int) { leaderboard { standings(first: 89, atRank: $rank) { nodes { rank } } } }",
    )
    assert [weight(await alice.post(page, rank=1 + 89 * n)) for n in range(2)] == [5, 5]
    refused = await alice.post(page, rank=1 + 89 * 2)
    assert (refused.status_code, code(refused)) == (429, "RATE_LIMITED")
    assert refused.json()["errors"][0]["extensions"]["retryAfter"] == int(refused.headers["retry-after"]) > 0
    assert weight(await service.player().post(page, rank=1_000_000)) == 5


async def test_actions_that_are_reported_together_are_charged_by_their_number(service: Service):
    actions = [
        {"actionType": "COMPLETE_LEVEL", "idempotencyKey": str(n), "user": {"subject": f"s{n}"}} for n in range(15)
    ]
    report = "mutation($inputs: [RecordActionInput!]!) { recordActions(inputs: $inputs) { __typename } }"
    server = service.player(role="server")
    assert weight(await server.post(report, inputs=actions[:2])) == 1
    assert weight(await server.post(report, inputs=actions)) == 8


async def test_aliases_of_large_fields_are_refused_before_they_are_executed(service: Service):
    aliases = " ".join(f"a{n}: friends(userIds: $ids) {{ rank }}" for n in range(15))
    refused = await service.anonymous.post(f"query($ids: [ID!]!) {{ leaderboard {{ {aliases} }} }}", ids=ids(100))
    assert code(refused) == "QUERY_TOO_COMPLEX"
    assert "at most 150 look-ups" in refused.json()["errors"][0]["message"]


async def test_an_operation_that_is_too_heavy_counts_like_a_refused_document(service: Service):
    for _ in range(10):
        assert code(await service.anonymous.post('{ leaderboard(at: "2026-01-01T00:00:00Z") { version } }')) == (
            "QUERY_TOO_COMPLEX"
        )
    assert code(await service.anonymous.post("{ categories { id } }")) == "RATE_LIMITED"


async def test_anonymous_callers_of_one_address_share_what_it_may_ask_for(service: Service):
    for _ in range(3):
        assert code(await service.anonymous.post(FRIENDS, ids=ids(50))) is None
    assert code(await service.anonymous.post(FRIENDS, ids=ids(50))) == "RATE_LIMITED"
    assert code(await service.anonymous.post(FRIENDS, ids=ids(1))) is None


async def test_a_subscription_weighs_what_each_of_its_changes_costs(socket: SocketClient):
    for n in range(3):
        await socket.subscribe(WATCH_FRIENDS, id=str(n), variables={"ids": ids(50)})
        await socket.hear_next(str(n))
    await socket.subscribe(WATCH_FRIENDS, id="x", variables={"ids": ids(50)})
    assert (await socket.hear_error("x"))["extensions"]["code"] == "RATE_LIMITED"


async def test_the_look_ups_of_a_subscription_per_change_are_bounded(service: Service, socket: SocketClient):
    await socket.subscribe(WATCH_FRIENDS, variables={"ids": ids(61)})
    refused = await socket.hear_error()
    assert refused["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert "at most 60 look-ups with every change" in refused["message"]
    headers = {"accept": "text/event-stream"}
    body = {"query": WATCH_FRIENDS, "variables": {"ids": ids(61)}}
    stream = await service.http.post("/graphql", json=body, headers=headers)
    assert "at most 60 look-ups" in stream.text


async def test_a_document_named_by_its_hash_weighs_the_same(service: Service):
    digest = hashlib.sha256(FRIENDS.encode()).hexdigest()
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}}

    async def post(**more: Any) -> httpx2.Response:
        body = {"extensions": extensions, "variables": {"ids": ids(39)}} | more
        return await service.http.post("/graphql", json=body)

    assert weight(await post(query=FRIENDS)) == weight(await post()) == 2


async def test_a_cached_body_is_charged_again(service: Service):
    document, alice = "{ leaderboard(offset: 90, limit: 10) { version } categories { id } }", service.player()
    for _ in range(5):
        assert weight(await alice.post(document)) == 2
    assert code(await alice.post(document)) == "RATE_LIMITED"


async def test_the_cost_is_shown_in_development_only(database_url: str, redis_url: str):
    secrets = {"jwt_secret": "j" * 40, "action_token_secret": "a" * 40}
    async with serving(settings_for(database_url, redis_url, environment="production", **secrets)) as service:
        assert "extensions" not in (await service.player().post("{ categories { id } }")).json()
