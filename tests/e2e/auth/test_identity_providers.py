"""Tokens as identity providers publish their shape, signed by a key set that is served over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from tests.support.graphql.socket_client import connecting
from tests.support.hostile.jwt_builder import JwtBuilder
from tests.support.identity_provider import Provider, serve_keys
from tests.support.service import Player, Service, serving, settings_for

ME = "{ me { role user { id username avatarUrl } } }"
PICTURE = "https://images.example.com/ada.png"


@dataclass(frozen=True)
class Published:
    """A token as a provider's documentation shows it, without its times, and what the service reads in it."""

    preset: str
    claims: Mapping[str, Any]
    username: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    avatar: str | None = None
    role: str = "PLAYER"
    lifetime: int = 3600


AUTH0 = {
    "iss": "https://tenant.auth0.com/",
    "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
    "aud": ["https://scores.example.com", "https://tenant.auth0.com/userinfo"],
    "azp": "my_client_id",
    "scope": "openid profile email",
    "permissions": ["moderator"],
    "https://scores.example.com/nickname": "Ada",
}
KEYCLOAK = {
    "jti": "31aa5f3c-8a4a-4d43-9d46-5a1b2f5f2f0d",
    "iss": "https://sso.example.com/realms/games",
    "aud": "account",
    "sub": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "typ": "Bearer",
    "azp": "scores-app",
    "acr": "1",
    "allowed-origins": ["https://game.example.com"],
    "realm_access": {"roles": ["default-roles-games", "offline_access", "board-admin"]},
    "resource_access": {"scores.app": {"roles": ["reporter"]}, "account": {"roles": ["manage-account"]}},
    "scope": "openid profile email",
    "email_verified": True,
    "preferred_username": "ada",
    "email": "ada@example.com",
}
COGNITO = {
    "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "cognito:groups": ["server"],
    "iss": "https://cognito-idp.us-west-2.amazonaws.com/us-west-2_example",
    "version": 2,
    "client_id": "1example23456789",
    "origin_jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "token_use": "access",
    "scope": "aws.cognito.signin.user.admin",
    "jti": "bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee",
    "username": "ada",
}
FIREBASE = {
    "name": "Ada Lovelace",
    "picture": PICTURE,
    "iss": "https://securetoken.google.com/my-game",
    "aud": "my-game",
    "user_id": "Zm9vYmFyYmF6cXV4",
    "sub": "Zm9vYmFyYmF6cXV4",
    "email": "ada@example.com",
    "email_verified": True,
    "firebase": {
        "identities": {"google.com": ["1234"], "email": ["ada@example.com"]},
        "sign_in_provider": "google.com",
    },
}
SUPABASE = {
    "aal": "aal1",
    "amr": [{"method": "password", "timestamp": 1640991600}],
    "app_metadata": {"provider": "email", "providers": ["email"]},
    "aud": "authenticated",
    "email": "ada@example.com",
    "iss": "https://abcdefghijklmnop.supabase.co/auth/v1",
    "phone": "",
    "role": "authenticated",
    "session_id": "123e4567-e89b-12d3-a456-426614174000",
    "sub": "123e4567-e89b-12d3-a456-426614174000",
    "user_metadata": {"user_name": "ada", "avatar_url": PICTURE, "role": "moderator"},
    "is_anonymous": False,
}
CLERK = {
    "azp": "https://game.example.com",
    "fva": [7, -1],
    "iss": "https://clean-mayfly-62.clerk.accounts.dev",
    "jti": "9f3b1c2d4e5f",
    "pla": "u:free",
    "sid": "sess_2nEYbfSzKbAAAAAAAAAAAAAAA",
    "sts": "active",
    "sub": "user_2nEYbXkkkAAAAAAAAAAAAAAA",
    "username": "ada",
    "v": 2,
}
ENTRA = {
    "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
    "iss": "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
    "aio": "AXQAi/8IAAAA",
    "azp": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
    "azpacr": "0",
    "name": "Ada Lovelace",
    "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
    "preferred_username": "ada@example.com",
    "rh": "I",
    "roles": ["Leaderboard.Moderate"],
    "scp": "access_as_user",
    "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
    "tid": "72f988bf-86f1-41af-91ab-2d7cd011db47",
    "uti": "fqiBqXLPj0eQa82S-IYFAA",
    "ver": "2.0",
}
GOOGLE = {
    "iss": "https://accounts.google.com",
    "azp": "1234987819200.apps.googleusercontent.com",
    "aud": "1234987819200.apps.googleusercontent.com",
    "sub": "10769150350006150715113082367",
    "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
    "hd": "example.com",
    "email": "ada@example.com",
    "email_verified": True,
    "name": "Ada Lovelace",
    "picture": PICTURE,
    "given_name": "Ada",
}

PUBLISHED = {
    "auth0": Published(
        "auth0",
        AUTH0,
        "Ada",
        {"jwt_audience": "https://scores.example.com", "jwt_username_claim": "https://scores.example.com/nickname"},
        {"typ": "at+jwt"},
        role="MODERATOR",
        lifetime=86_400,
    ),
    "auth0, PS256": Published(
        "auth0",
        {**AUTH0, "permissions": []},
        "auth0|5f7c8ec7c33c6c004bbafe82",
        {"jwt_audience": "other,https://scores.example.com"},
        algorithm="PS256",
    ),
    "keycloak": Published(
        "keycloak",
        KEYCLOAK,
        "ada",
        {"jwt_audience": "scores-app", "jwt_role_map": {"board-admin": "moderator"}},
        role="MODERATOR",
        lifetime=300,
    ),
    "keycloak, roles of a client, EdDSA": Published(
        "keycloak",
        {**KEYCLOAK, "aud": ["account", "scores-api"]},
        "ada",
        {
            "jwt_audience": "scores-api",
            "jwt_audience_claim": "aud",
            "jwt_role_claim": "realm_access.roles,resource_access.scores.app.roles",
            "jwt_role_map": {"reporter": "server"},
        },
        algorithm="EdDSA",
        role="SERVER",
    ),
    "cognito, access token": Published(
        "cognito", COGNITO, "ada", {"jwt_audience": "1example23456789"}, role="SERVER", lifetime=86_400
    ),
    "cognito, ID token": Published(
        "cognito",
        {
            "sub": COGNITO["sub"],
            "iss": COGNITO["iss"],
            "aud": "1example23456789",
            "cognito:username": "ada",
            "token_use": "id",
            "email": "ada@example.com",
            "picture": PICTURE,
        },
        "ada",
        {"jwt_audience": "1example23456789"},
        avatar=PICTURE,
    ),
    "firebase": Published("firebase", FIREBASE, "Ada Lovelace", avatar=PICTURE),
    "supabase": Published("supabase", SUPABASE, "ada", algorithm="ES256", avatar=PICTURE),
    "supabase, role of the application": Published(
        "supabase",
        {**SUPABASE, "app_metadata": {"provider": "email", "role": "moderator"}},
        "ada",
        algorithm="ES256",
        avatar=PICTURE,
        role="MODERATOR",
    ),
    "clerk": Published("clerk", CLERK, "ada", header={"cat": "cl_B7d4PD111AAA", "typ": "JWT"}, lifetime=60),
    "clerk, one page": Published("clerk", CLERK, "ada", {"jwt_audience": "https://game.example.com"}, lifetime=60),
    "entra": Published(
        "entra",
        ENTRA,
        "Ada Lovelace",
        {"jwt_audience": ENTRA["aud"], "jwt_role_map": {"Leaderboard.Moderate": "moderator"}},
        {"typ": "JWT", "x5t": "nOo3ZDrODXEK1jKWhXslHR_KXEg"},
        role="MODERATOR",
        lifetime=5400,
    ),
    "google": Published("google", GOOGLE, "Ada Lovelace", {"jwt_audience": GOOGLE["aud"]}, avatar=PICTURE),
    "google, older issuer": Published(
        "google",
        {**GOOGLE, "iss": "accounts.google.com"},
        "Ada Lovelace",
        {"jwt_audience": GOOGLE["aud"]},
        avatar=PICTURE,
    ),
}


@asynccontextmanager
async def trusting(database_url: str, redis_url: str, provider: Provider, **settings: Any) -> AsyncIterator[Service]:
    """A service that accepts the tokens of a provider, whose key set is at JWT_JWKS_URL."""
    async with (
        serve_keys(provider) as url,
        serving(settings_for(database_url, redis_url, **({"jwt_jwks_url": url} | settings))) as service,
    ):
        yield service


def timed(claims: Mapping[str, Any], lifetime: int = 3600) -> dict[str, Any]:
    now = int(time.time())
    return {**claims, "iat": now, "nbf": now, "exp": now + lifetime}


@pytest.mark.parametrize("name", PUBLISHED)
async def test_a_token_of_the_provider_is_accepted_with_its_preset(database_url: str, redis_url: str, name: str):
    published = PUBLISHED[name]
    provider = Provider()
    provider.publish("key-1", published.algorithm, with_algorithm=published.algorithm == "PS256")
    claims = timed(published.claims, published.lifetime)
    issuer = "https://accounts.google.com" if published.preset == "google" else claims["iss"]
    settings: dict[str, Any] = {"jwt_preset": published.preset, **published.settings}
    if published.preset != "google":
        settings["jwt_issuer"] = issuer.rstrip("/")
    async with trusting(database_url, redis_url, provider, **settings) as service:
        player = Player(service.http, provider.sign("key-1", claims, **published.header))
        assert (await player.ask(ME))["me"] == {
            "role": published.role,
            "user": {
                "id": str(uuid5(uuid5(NAMESPACE_URL, issuer), claims["sub"])),
                "username": published.username,
                "avatarUrl": published.avatar,
            },
        }
        others = {
            "another issuer": {"iss": "https://login.example.com"},
            "no issuer": {"iss": None},
            "another audience": {"aud": "another", "azp": "another", "client_id": "another"},
            "no audience": {"aud": None, "azp": None, "client_id": None},
        }
        for change, changed in others.items():
            if published.preset == "clerk" and "jwt_audience" not in published.settings and "audience" in change:
                continue  # Any audience is accepted.
            token = provider.sign("key-1", {k: v for k, v in (claims | changed).items() if v is not None})
            assert await Player(service.http, token).fails(ME) == {"code": "UNAUTHENTICATED"}, change


async def test_claims_are_found_by_paths_and_roles_by_the_mapping(database_url: str, redis_url: str):
    provider = Provider("k")
    async with trusting(
        database_url,
        redis_url,
        provider,
        jwt_username_claim="preferred_username,username,name,nickname",
        jwt_avatar_claim="picture",
        jwt_role_claim="role,realm_access.roles,https://example.com/roles,https://example.com/app.v1.scope",
        jwt_role_map={"chief": "moderator", "engine": "server"},
    ) as service:
        base = timed({"iss": service.settings.jwt_issuer, "aud": service.settings.jwt_audience, "sub": "ada-1"})

        async def me(**claims: Any) -> tuple[str, str]:
            seen = (await Player(service.http, provider.sign("k", {**base, **claims})).ask(ME))["me"]
            return seen["user"]["username"], seen["role"]

        assert await me() == ("ada-1", "PLAYER")
        assert await me(role="authenticated", nickname="ada") == ("ada", "PLAYER")
        assert await me(role="moderator", name="Ada", nickname="a") == ("Ada", "PLAYER")
        assert await me(role="engine", preferred_username="", username="Ada L") == ("Ada L", "SERVER")
        assert await me(role="engine", realm_access={"roles": ["chief", 7]}) == ("ada-1", "MODERATOR")
        assert (await me(**{"https://example.com/roles": "chief"}))[1] == "MODERATOR"
        assert (await me(**{"https://example.com/app.v1": {"scope": ["engine"]}}))[1] == "SERVER"
        assert (await me(role=["x", "chief"], preferred_username="ada@example.com")) == ("ada", "MODERATOR")
        assert (await me(realm_access=["chief"], role={"chief": True}, picture=7)) == ("ada-1", "PLAYER")


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_keys_are_discovered_by_the_issuer(database_url: str, redis_url: str, algorithm: str):
    provider = Provider()
    provider.publish("k", algorithm, with_algorithm=True)
    async with serve_keys(provider) as url:
        issuer = url.removesuffix("/keys.json")
        async with serving(settings_for(database_url, redis_url, jwt_issuer=issuer, jwt_audience="a,b")) as service:
            token = provider.sign("k", timed({"iss": issuer, "aud": ["b", "c"], "sub": "ada"}))
            assert (await Player(service.http, token).ask(ME))["me"]["user"]["username"] == "ada"
            assert provider.requests[:2] == ["/.well-known/openid-configuration", "/keys.json"]
            async with connecting(service.socket_url) as client:
                await client.init({"authorization": f"Bearer {token}"})


@pytest.mark.parametrize(
    "configuration",
    [
        {"issuer": "https://login.example.com"},
        {"jwks_uri": None},
        {"jwks_uri": "file:///etc/passwd"},
        b"<html>",
        b"[]",
        b"{" + b" " * 70_000 + b"}",
    ],
)
async def test_a_configuration_that_cannot_be_used_makes_the_service_unavailable_not_open(
    database_url: str, redis_url: str, configuration: dict[str, Any] | bytes
):
    provider = Provider("k")
    provider.configuration = configuration
    async with serve_keys(provider) as url:
        issuer = url.removesuffix("/keys.json")
        async with serving(settings_for(database_url, redis_url, jwt_issuer=issuer)) as service:
            token = provider.sign("k", timed({"iss": issuer, "aud": service.settings.jwt_audience, "sub": "ada"}))
            refused = await Player(service.http, token).fails(ME)
            assert refused["code"] == "SERVICE_UNAVAILABLE"
            assert "/keys.json" not in provider.requests
            assert (await service.anonymous.post("{ actions { id } }")).status_code == 200


async def test_one_issuer_never_signs_for_another_and_their_subjects_are_different_users(
    database_url: str, redis_url: str
):
    ours, theirs = Provider("same-id"), Provider("same-id")
    async with serve_keys(ours) as our_url, serve_keys(theirs) as their_url:
        settings = settings_for(
            database_url,
            redis_url,
            jwt_secret="a secret of the game, at least 32 bytes long",
            jwt_issuer="https://one.example.com,https://two.example.com,game",
            jwt_jwks_url=f"{our_url},{their_url},secret",
            jwt_audience="board",
        )
        async with serving(settings) as service:
            secret = JwtBuilder(settings.jwt_secret.get_secret_value(), {"alg": "HS256", "typ": "JWT"}, {})

            def claims(issuer: object) -> dict[str, Any]:
                return timed({"iss": issuer, "aud": "board", "sub": "ada"})

            def by_secret(issuer: object, **header: Any) -> str:
                return secret.raw({**secret.header, **header}, claims(issuer))

            one, two, game = "https://one.example.com", "https://two.example.com", "game"
            good = {
                one: ours.sign("same-id", claims(one)),
                two: theirs.sign("same-id", claims(two)),
                game: by_secret(game),
            }
            ids = {
                name: (await Player(service.http, token).ask(ME))["me"]["user"]["id"] for name, token in good.items()
            }
            assert ids == {name: str(uuid5(uuid5(NAMESPACE_URL, name), "ada")) for name in good}
            assert len(set(ids.values())) == 3
            forged = {
                "one signs for two": ours.sign("same-id", claims(two)),
                "two signs for one": theirs.sign("same-id", claims(one)),
                "one signs for the game": ours.sign("same-id", claims(game)),
                "the secret signs for one": by_secret(one),
                "the secret signs for one with its key id": by_secret(one, kid="same-id"),
                "the secret as RS256": by_secret(game, alg="RS256"),
                "an issuer that is not accepted": ours.sign("same-id", claims("https://three.example.com")),
                "issuers in a list": secret.raw(secret.header, claims([game])),
                "no issuer": secret.raw(secret.header, claims(None)),
                "a public key as a secret": JwtBuilder(
                    json.dumps(ours.published["same-id"]), {"alg": "HS256", "kid": "same-id"}, {}
                ).raw({"alg": "HS256", "kid": "same-id"}, claims(one)),
            }
            for name, token in forged.items():
                assert await Player(service.http, token).fails(ME) == {"code": "UNAUTHENTICATED"}, name


async def test_a_token_of_the_near_future_is_accepted_within_the_clock_skew(database_url: str, redis_url: str):
    provider = Provider("k")
    async with trusting(database_url, redis_url, provider, jwt_clock_skew=120) as service:
        settings, now = service.settings, int(time.time())
        usual = {"iss": settings.jwt_issuer, "aud": settings.jwt_audience, "sub": "ada", "exp": now + 900}
        await Player(service.http, provider.sign("k", {**usual, "iat": now + 90, "nbf": now + 90})).ask(ME)
        late = Player(service.http, provider.sign("k", {**usual, "iat": now + 300}))
        assert await late.fails(ME) == {"code": "UNAUTHENTICATED"}
        expired = Player(service.http, provider.sign("k", {**usual, "iat": now - 900, "exp": now - 2}))
        assert (await expired.fails(ME))["reason"] == "TOKEN_EXPIRED"
