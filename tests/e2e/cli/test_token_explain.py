"""`leaderboard token --explain`: which check of a token fails, and what to change."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.config import Settings, load_settings
from tests.support.hostile.jwt_builder import JwtBuilder, access_token_builder
from tests.support.identity_provider import Provider, serve_keys
from tests.support.processes.cli_process import environment, run
from tests.support.service import access_token

SECRET = "the secret of this installation, which nobody may see"


def refusals(good: JwtBuilder) -> dict[str, tuple[str, str, str]]:
    """Tokens that are refused, with the check that fails and the setting that is named."""
    now, claims = int(time.time()), good.claims
    return {
        "no token": ("abc", "form", "JWT"),
        "type": (good.with_header(typ="logout+jwt"), "type", "logout token"),
        "algorithm": (good.with_header(alg="HS512"), "algorithm", "JWT_JWKS_URL"),
        "signature": (good.good()[:-6] + "AAAAAA", "signature", "JWT_SECRET"),
        "subject": (good.with_claims("sub"), "subject", "`sub`"),
        "issuer": (good.with_claims(iss="https://other.example"), "issuer", "JWT_ISSUER"),
        "audience": (good.with_claims(aud=["other"]), "audience", "JWT_AUDIENCE"),
        "time": (good.with_claims(iat=now + 600), "issued_at", "JWT_CLOCK_SKEW"),
        "lifetime": (good.with_claims(exp=claims["iat"] + 10**6), "lifetime", "ACCESS_TOKEN_MAX_LIFETIME"),
        "expiry": (good.with_claims(iat=now - 900, exp=now - 60), "expiry", "new token"),
    }


REFUSALS = sorted(refusals(access_token_builder(load_settings(_env_file=None))))


def with_secret(settings: Settings, **more: Any) -> Settings:
    return settings.model_copy(update={"jwt_secret": type(settings.jwt_secret)(SECRET), **more})


@pytest.mark.parametrize("name", REFUSALS)
async def test_the_failing_check_and_the_setting_are_named(name: str):
    settings = with_secret(load_settings(_env_file=None))
    token, check, advice = refusals(access_token_builder(settings))[name]
    ended = await run("token", "--explain", token, env=environment(JWT_SECRET=SECRET))
    assert ended.code == 1
    assert f"{check:<12}failed" in ended.out
    assert advice in ended.out
    printed = ended.out + ended.err
    assert SECRET not in printed
    assert len(token) < 10 or token not in printed
    assert token.rpartition(".")[2] not in printed or name == "no token"


async def test_an_accepted_token_is_shown_as_the_service_reads_it():
    settings = with_secret(load_settings(_env_file=None))
    ended = await run("token", "--explain", access_token(settings, "ada"), env=environment(JWT_SECRET=SECRET))
    assert ended.code == 0
    assert all(line in ended.out for line in ("expiry      ok", "name        ada", "role        player"))
    assert SECRET not in ended.out


async def test_keys_of_a_provider_are_fetched_for_the_explanation():
    provider = Provider("k")
    async with serve_keys(provider) as url:
        issuer, now = url.removesuffix("/keys.json"), int(time.time())
        claims = {"iss": issuer, "aud": "board", "sub": "ada", "iat": now, "exp": now + 60, "roles": ["chief"]}
        env = environment(
            JWT_ISSUER=issuer, JWT_AUDIENCE="board", JWT_ROLE_CLAIM="roles", JWT_ROLE_MAP='{"chief": "moderator"}'
        )
        accepted = await run("token", "--explain", provider.sign("k", claims), env=env)
        assert (accepted.code, "role        moderator" in accepted.out) == (0, True), accepted.err
        refused = await run("token", "--explain", Provider("k").sign("k", claims), env=env)
        assert (refused.code, "signature   failed" in refused.out) == (1, True)
        unknown = await run("token", "--explain", provider.sign("k", claims, kid="k2"), env=env)
        assert (unknown.code, "key         failed: the header `kid` is 'k2'" in unknown.out) == (1, True)
    away = await run("token", "--explain", provider.sign("k", claims), env=env)
    assert (away.code, "key set of the issuer cannot be read" in away.err) == (1, True)
    assert "jwks_not_fetched" in away.err


async def test_an_api_key_is_told_from_a_token():
    ended = await run("token", "--explain", "lbk_abc", env=environment())
    assert (ended.code, "leaderboard keys list" in ended.err) == (1, True)
