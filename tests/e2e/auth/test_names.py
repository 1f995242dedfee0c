"""Names, pictures and roles in access tokens: none of them makes a token invalid."""

import time
from typing import Any

import pytest

from app.services.auth.signing_keys import SigningKeys
from tests.support.graphql.socket_client import connecting
from tests.support.service import Player, Service

ME = "{ me { role user { id username avatarUrl } } }"


def token(service: Service, **claims: Any) -> str:
    settings, now = service.settings, int(time.time())
    usual = {
        "sub": "somebody",
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "iat": now,
        "exp": now + 900,
    }
    return SigningKeys(settings.jwt_secret.get_secret_value()).sign(usual | claims, "at+jwt")


async def me(service: Service, **claims: Any) -> dict[str, Any]:
    viewer: dict[str, Any] = (await Player(service.http, token(service, **claims)).ask(ME))["me"]
    return viewer


@pytest.mark.parametrize(
    ("claim", "shown"),
    [
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
        ("x" * 51, "x" * 50),
        ("Ada\ufe0f", "Ada"),
        ("q" + "\u0336" * 12, "q" + "\u0336" * 4),
        ("\u202eAda\u0000", "Ada"),
    ],
)
async def test_a_name_is_cleaned_or_cut(service: Service, claim: str, shown: str):
    assert (await me(service, username=claim))["user"]["username"] == shown


@pytest.mark.parametrize("claim", ["", " ", "\u3164", "\u2800", "\u034f", None, 7, ["Ada"], {"a": "b"}])
async def test_a_name_of_which_nothing_is_seen_is_replaced_by_one_made_from_the_id(service: Service, claim: object):
    user = (await me(service, username=claim))["user"]
    assert user["username"] == f"Player {user['id'][-6:]}"


async def test_without_the_claim_the_name_is_the_subject(service: Service):
    assert (await me(service, sub="ada"))["user"]["username"] == "ada"


@pytest.mark.parametrize("claim", ["javascript:alert(1)", "https://" + "x" * 500, 7, None, ["https://x"]])
async def test_a_bad_picture_is_dropped(service: Service, claim: object):
    assert (await me(service, avatar_url=claim))["user"]["avatarUrl"] is None


@pytest.mark.parametrize("claim", ["admin", "", None, 7, ["admin", 7], {"moderator": True}, "MODERATOR"])
async def test_a_foreign_role_is_a_player(service: Service, claim: object):
    assert (await me(service, role=claim))["role"] == "PLAYER"


async def test_a_token_of_8_kib_is_accepted_over_http_and_in_handshakes(service: Service):
    long = token(service, groups="x" * 5800)
    assert 7900 < len(long) <= 8192
    assert (await Player(service.http, long).ask(ME))["me"]["role"] == "PLAYER"
    headers = {"authorization": f"Bearer {long}"}
    async with connecting(service.socket_url, additional_headers=headers) as client:
        await client.init()
        await client.subscribe(ME)
        assert (await client.hear_next())["data"]["me"]["role"] == "PLAYER"


async def test_a_longer_one_is_invalid(service: Service):
    refused = await Player(service.http, token(service, groups="x" * 6200)).fails(ME)
    assert refused["code"] == "UNAUTHENTICATED"
