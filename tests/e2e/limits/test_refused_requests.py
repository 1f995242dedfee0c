"""What is refused before it becomes an operation is charged, to whom it belongs."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import jwt
import pytest

from app.config import Settings
from app.domain.users import Role
from tests.support.service import Player, Service, access_token, settings_for

QUERY = "{ categories { id } }"
JSON = {"content-type": "application/json"}
MOST = 6


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return settings_for(
        database_url,
        redis_url,
        rate_limit_enabled=True,
        rate_limit_refused_per_address=MOST,
        rate_limit_query_per_user=MOST,
    )


REFUSED: dict[str, tuple[int, Callable[[httpx2.AsyncClient], Awaitable[httpx2.Response]]]] = {
    "malformed JSON": (400, lambda http: http.post("/graphql", content=b"{", headers=JSON)),
    "not an operation": (400, lambda http: http.post("/graphql", json=[])),
    "media type": (415, lambda http: http.post("/graphql", content=b"<a/>", headers={"content-type": "text/xml"})),
    "accept": (406, lambda http: http.post("/graphql", json={"query": QUERY}, headers={"accept": "image/png"})),
    "CSRF": (400, lambda http: http.get("/graphql", params={"query": QUERY})),
    "method": (405, lambda http: http.put("/graphql", json={"query": QUERY})),
    "size": (413, lambda http: http.post("/graphql", content=b'{"query":"' + b" " * 70_000 + b'"}', headers=JSON)),
    "path": (404, lambda http: http.get("/nothing/here")),
    "method of a page": (405, lambda http: http.delete("/")),
    "host": (421, lambda http: http.get("/", headers={"host": "evil.example"})),
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_refusals_are_counted_and_then_answered_with_429(service: Service, kind: str):
    status, send = REFUSED[kind]
    for _ in range(MOST):
        assert (await send(service.http)).status_code == status
    over = await service.http.get("/nothing/here")
    assert over.status_code == 429
    assert 1 <= int(over.headers["retry-after"]) <= 60
    anonymous = await service.anonymous.post(QUERY)
    assert anonymous.status_code == 429
    assert anonymous.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_a_user_is_served_whatever_others_of_the_address_send(service: Service):
    for _ in range(2 * MOST):
        await service.http.post("/graphql", content=b"{", headers=JSON)
    assert (await service.player("alice").post(QUERY)).status_code == 200


async def test_malformed_requests_of_a_user_count_for_the_user(service: Service):
    alice = service.player("alice")
    headers = JSON | {"authorization": f"Bearer {alice.token}"}
    statuses = [
        (await service.http.post("/graphql", content=b"{", headers=headers)).status_code for _ in range(MOST + 1)
    ]
    assert statuses == [400] * MOST + [200]  # a client of application/json gets the error in the body
    assert (await alice.post(QUERY)).status_code == 429
    assert (await service.anonymous.post(QUERY)).status_code == 200


async def test_a_malformed_body_after_a_cached_head_counts_too(service: Service):
    good, bad = b'{"query":"{categories{id}}"}', b'{"query":"{categories{id}}"]'
    assert len(good) == len(bad)
    for _ in range(3):
        assert (await service.http.post("/graphql", content=good, headers=JSON)).status_code == 200
    for _ in range(MOST):
        assert (await service.http.post("/graphql", content=bad, headers=JSON)).status_code == 400
    assert "RATE_LIMITED" in (await service.http.post("/graphql", content=good, headers=JSON)).text


async def test_refusals_leave_nothing_in_redis(service: Service):
    for _ in range(3 * MOST):
        await service.http.post("/graphql", content=b"{", headers=JSON)
    windows = f"{service.settings.redis_prefix}:{{limits}}*"
    assert await service.app.redis.keys(windows) == []
    await service.player().post(QUERY)
    assert await service.app.redis.keys(windows)  # Requests that are operations are counted there.


@pytest.mark.parametrize("path", ["/livez", "/"])
async def test_probes_and_pages_are_served_whatever_the_address_sent(service: Service, path: str):
    for _ in range(2 * MOST):
        await service.http.get("/nothing/here")
    assert (await service.http.get(path)).status_code == 200


async def test_forged_tokens_are_refused_without_redis_after_a_while(service: Service):
    mallory = Player(service.http, "a.b.c")
    statuses = [(await mallory.post(QUERY)).status_code for _ in range(MOST + 3)]
    assert statuses == [401] * MOST + [429] * 3


async def test_an_expired_token_is_no_guess_and_the_renewed_one_is_served_at_once(service: Service, settings: Settings):
    expired = Player(service.http, access_token(settings, "game", Role.SERVER, ttl=-1))
    for _ in range(5 * MOST):
        refused = await expired.post(QUERY)
        assert refused.status_code == 401
        assert refused.json()["errors"][0]["extensions"]["reason"] == "TOKEN_EXPIRED"
    renewed = Player(service.http, access_token(settings, "game", Role.SERVER))
    assert (await renewed.post(QUERY)).status_code == 200
    assert (await service.anonymous.post(QUERY)).status_code == 200


@pytest.mark.parametrize("claims", [{"aud": "another"}, {"iss": "another"}, {"sub": "x" * 300}, {"sub": 7}])
async def test_a_signed_token_with_unacceptable_claims_is_no_guess(
    service: Service, settings: Settings, claims: dict[str, Any]
):
    now = int(time.time())
    usual = {"sub": "a", "iss": settings.jwt_issuer, "aud": settings.jwt_audience, "iat": now, "exp": now + 60}
    token = jwt.encode(usual | claims, settings.jwt_secret.get_secret_value(), "HS256")
    for _ in range(2 * MOST):
        assert (await Player(service.http, token).post(QUERY)).status_code == 401
    assert (await service.anonymous.post(QUERY)).status_code == 200


async def test_many_refusals_at_once_are_counted_one_by_one(service: Service):
    send = REFUSED["malformed JSON"][1]
    responses = await asyncio.gather(*(send(service.http) for _ in range(3 * MOST)))
    assert sum(response.status_code == 400 for response in responses) == MOST
