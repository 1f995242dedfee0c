"""The identity provider withdraws a signing key: nothing that its tokens opened stays open, and nobody else notices."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from app.services.auth import jwks
from tests.e2e.http.test_head_cache import hits, real
from tests.e2e.http.test_streams import MULTIPART, subscribed
from tests.support.graphql.raw_http import connected
from tests.support.graphql.socket_client import connecting
from tests.support.identity_provider import Provider, serve_keys
from tests.support.service import Player, Service, serving, settings_for

ME = "{ me { user { username } } }"
TOTAL = "{ leaderboard { totalUsers } }"
WATCH = "subscription { leaderboardUpdates { kind } }"


@pytest.fixture
def provider() -> Provider:
    return Provider("leaked", "good")


@pytest.fixture
async def service(database_url: str, redis_url: str, provider: Provider) -> AsyncIterator[Service]:
    async with (
        serve_keys(provider) as url,
        serving(settings_for(database_url, redis_url, jwt_jwks_url=url)) as service,
    ):
        yield service


async def withdraw(provider: Provider, service: Service) -> None:
    """Withdraw the leaked key, and let the service look at the key set again."""
    provider.withdraw("leaked")
    await service.app.key_sets[0].refresh()


async def test_a_token_that_was_seen_before_is_refused_like_any_bad_one(service: Service, provider: Provider):
    leaked, good = (Player(service.http, provider.token(kid, service.settings, kid)) for kid in ("leaked", "good"))
    for player in (leaked, good):
        await player.ask(ME)
    await withdraw(provider, service)
    assert await leaked.fails(ME) == {"code": "UNAUTHENTICATED"}
    assert (await good.ask(ME))["me"]["user"]["username"] == "good"


async def test_a_head_that_was_seen_before_is_refused_too(service: Service, provider: Provider):
    leaked, good = (real(service, TOTAL, provider.token(kid, service.settings, kid)) for kid in ("leaked", "good"))
    async with connected(service.url) as connection:
        for request in (leaked, good, leaked, good):
            assert "errors" not in json.loads((await connection.asks(request))[1])
        before = await hits(service)
        assert before >= 2
        await withdraw(provider, service)
        head, body = await connection.asks(leaked)
        assert b"www-authenticate: Bearer" in head
        assert json.loads(body)["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
        assert await hits(service) == before
        assert "errors" not in json.loads((await connection.asks(good))[1])
        assert await hits(service) == before + 1


async def test_an_open_socket_is_closed_with_4403_and_others_stay(service: Service, provider: Provider):
    tokens = {kid: provider.token(kid, service.settings, kid) for kid in ("leaked", "good")}
    async with connecting(service.socket_url) as leaked, connecting(service.socket_url) as good:
        for kid, client in (("leaked", leaked), ("good", good)):
            await client.init({"authorization": f"Bearer {tokens[kid]}"})
            await client.subscribe(WATCH)
            await client.hear_next()
        async with connecting(service.socket_url) as anonymous:
            await anonymous.init()
            await withdraw(provider, service)
            assert await leaked.close_code() == (4403, "The key of the access token was withdrawn")
            assert await good.is_alive()
            assert await anonymous.is_alive()
    async with connecting(service.socket_url) as client:
        await client.say({"type": "connection_init", "payload": {"authorization": f"Bearer {tokens['leaked']}"}})
        assert (await client.close_code())[0] == 4401


async def test_a_scheduled_fetch_closes_it_without_any_request(
    database_url: str, redis_url: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jwks, "REFRESH_INTERVAL", 0.05)
    async with (
        serve_keys(provider) as url,
        serving(settings_for(database_url, redis_url, jwt_jwks_url=url)) as service,
        connecting(service.socket_url) as client,
    ):
        await client.init({"authorization": f"Bearer {provider.token('leaked', service.settings, 'leaked')}"})
        provider.withdraw("leaked")
        assert (await client.close_code())[0] == 4403


async def test_a_stream_of_events_ends_and_says_why(service: Service, provider: Provider):
    url = f"{service.url}/graphql"
    leaked, good = (f"Bearer {provider.token(kid, service.settings, kid)}" for kid in ("leaked", "good"))
    async with (
        subscribed(url, WATCH, authorization=leaked) as ending,
        subscribed(url, WATCH, authorization=good) as staying,
    ):
        for reader in (ending, staying):
            await reader.event()
        await withdraw(provider, service)
        event = await ending.event()
        assert event is not None
        assert event[1]["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
        assert await ending.event() == ("complete", None)
        await Player(service.http, provider.token("good", service.settings, "good")).play()
        following = await staying.event()
        assert following is not None
        assert "errors" not in following[1]


async def test_a_multipart_response_ends_too(service: Service, provider: Provider):
    token = provider.token("leaked", service.settings, "leaked")
    url = f"{service.url}/graphql"
    async with subscribed(url, WATCH, MULTIPART, authorization=f"Bearer {token}") as reader:
        await reader.payload()
        await withdraw(provider, service)
        payload = await reader.payload()
        assert payload["payload"]["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}


async def test_a_key_that_is_replaced_under_its_id_takes_its_tokens_along(service: Service, provider: Provider):
    old = provider.token("leaked", service.settings, "alice")
    async with connecting(service.socket_url) as client:
        await client.init({"authorization": f"Bearer {old}"})
        provider.publish("leaked")
        await service.app.key_sets[0].refresh()
        assert (await client.close_code())[0] == 4403
    assert await Player(service.http, old).fails(ME) == {"code": "UNAUTHENTICATED"}
    await Player(service.http, provider.token("leaked", service.settings, "alice")).ask(ME)
