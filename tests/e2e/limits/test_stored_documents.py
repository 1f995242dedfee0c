"""Persisted documents are stored for those who may ask, and storing them weighs more than executing them."""

import hashlib
from typing import Any

import httpx2
import pytest

from app.config import Settings
from tests.support.service import Service, settings_for


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return settings_for(database_url, redis_url, rate_limit_enabled=True, rate_limit_anonymous_per_address=11)


async def post(service: Service, text: str, variables: dict[str, Any] | None = None) -> httpx2.Response:
    """Send a document with its hash, which stores it."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    body = {"query": text, "extensions": extensions, "variables": variables or {}}
    return await service.http.post("/graphql", json=body)


async def stored(service: Service) -> int:
    return int(await service.app.redis.zcard(f"{service.settings.redis_prefix}:{{documents}}"))


async def test_a_new_document_weighs_more_and_none_is_stored_beyond_the_limit(service: Service):
    for number in range(2):
        assert "data" in (await post(service, f"{{ a{number}: categories {{ id }} }}")).json()
    refused = (await post(service, "{ b: categories { id } }")).json()
    assert refused["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert await stored(service) == 2
    assert "data" in (await service.anonymous.post("{ categories { id } }")).json()


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("{ nothing }", {}),
        ("query($n: Int!) { leaderboard(limit: $n) { version } }", {"n": "x"}),
        ('{ leaderboard(at: "2026-01-01T00:00:00Z") { version } a: leaderboard { standings(first: 100) { edges '
         '{ cursor } } } ' + " ".join(f'b{n}: leaderboard(at: "2026-01-01T00:00:00Z") {{ version }}' for n in range(5))
         + " }", {}),
    ],
    ids=["invalid", "variables", "too complex"],
)  # fmt: skip
async def test_a_document_that_is_refused_is_not_stored(service: Service, text: str, variables: dict[str, Any]):
    assert "errors" in (await post(service, text, variables)).json()
    assert await stored(service) == 0
