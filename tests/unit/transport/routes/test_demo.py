"""Demo tokens: for our own pages, on this machine, in development."""

from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from app.config import Settings, load_settings
from app.domain.errors import Unauthenticated
from app.domain.users import Role
from app.runtime import utc_now
from app.services.auth.access_tokens import AccessTokens, IdentityProvider, SharedSecretKeys
from app.services.auth.signing_keys import SigningKeys
from app.transport.routes import demo
from tests.support.runtime import runtime_for

PRODUCTION = {
    "environment": "production",
    "jwt_secret": "a" * 40,
    "action_token_secret": "b" * 40,
    "database_url": "postgresql+asyncpg://localhost/leaderboard",
    "redis_url": "redis://localhost:6379/0",
}


def settings(**more: Any) -> Settings:
    return load_settings(_env_file=None, **more)


def visitor(settings: Settings, address: str = "127.0.0.1") -> httpx2.AsyncClient:
    app = Starlette(routes=demo.routes(settings, utc_now))
    transport = httpx2.ASGITransport(app=app, client=(address, 50_000))
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000")


async def offered(http: httpx2.AsyncClient, headers: dict[str, str] | None = None) -> bool:
    """What the page is told, which must be what it gets."""
    told: bool = (await http.get("/environment.json", headers=headers)).json()["demo"]
    got = (await http.post("/demo/token", json={"user": "nova"}, headers=headers)).status_code == 200
    assert told is got
    return told


def tokens_signed_with(secret: str, settings: Settings) -> AccessTokens:
    (issuer,) = settings.issuers
    provider = IdentityProvider(issuer, SharedSecretKeys(SigningKeys(secret)), issuer.subject_ids())
    return AccessTokens([provider], runtime_for(), max_lifetime=settings.access_token_max_lifetime)


async def test_a_demo_token_is_good_for_one_player():
    made = settings()
    async with visitor(made) as http:
        token = (await http.post("/demo/token", json={"user": " nova "})).json()["token"]
    caller = await tokens_signed_with(made.jwt_secret.get_secret_value(), made).verify(token)
    assert (caller.username, caller.role) == ("nova", Role.PLAYER)
    with pytest.raises(Unauthenticated):
        await tokens_signed_with("another secret of at least 32 bytes", made).verify(token)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
async def test_this_machine_gets_them(address: str):
    async with visitor(settings(), address) as http:
        assert await offered(http)


@pytest.mark.parametrize("address", ["192.168.1.7", "203.0.113.9", "fe80::1", "::ffff:10.0.0.1"])
async def test_other_machines_do_not(address: str):
    async with visitor(settings(), address) as http:
        assert not await offered(http)


@pytest.mark.parametrize("header", ["forwarded", "x-forwarded-for", "x-real-ip", "via"])
async def test_a_proxy_on_this_machine_speaks_for_others(header: str):
    async with visitor(settings()) as http:
        assert not await offered(http, {header: "127.0.0.1"})


@pytest.mark.parametrize("more", [PRODUCTION, {"jwt_jwks_url": "https://login.example.com/keys"}])
async def test_where_tokens_are_made_elsewhere_the_address_does_not_exist(more: dict[str, Any]):
    async with visitor(settings(**more)) as http:
        assert (await http.post("/demo/token", json={"user": "nova"})).status_code == 404
        assert (await http.get("/environment.json")).json()["demo"] is False


async def test_pages_of_other_sites_get_none_even_where_they_may_call_the_api():
    async with visitor(settings(allowed_origins="*")) as http:
        foreign = {"origin": "https://evil.example"}
        assert (await http.post("/demo/token", json={"user": "nova"}, headers=foreign)).status_code == 403
        own = {"origin": "http://localhost:8000"}
        assert (await http.post("/demo/token", json={"user": "nova"}, headers=own)).status_code == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"data": {"user": "nova"}}, 415),
        ({"content": b'{"user": "nova"}', "headers": {"content-type": "text/plain"}}, 415),
        ({"json": {}}, 400),
        ({"json": []}, 400),
        ({"json": {"user": 7}}, 400),
        ({"json": {"user": ""}}, 400),
        ({"json": {"user": "\u202e\u3164"}}, 400),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400),
        ({"json": {"user": "x" * 5000}}, 413),
    ],
)
async def test_what_is_no_name_is_refused_with_a_sentence(request_: dict[str, Any], status: int):
    async with visitor(settings()) as http:
        answer = await http.post("/demo/token", **request_)
    assert answer.status_code == status
    assert answer.json()["message"]
