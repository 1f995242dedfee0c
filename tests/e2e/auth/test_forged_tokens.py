"""Forged tokens, of both kinds and over every way in: all get one and the same answer."""

import json
import time
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.graphql.socket_client import connecting
from tests.support.hostile.jwt_builder import (
    JwtBuilder,
    access_token_builder,
    action_token_builder,
    b64,
    equivalent_encodings,
    forged_access_tokens,
    forged_tokens,
)
from tests.support.identity_provider import Provider, modulus, serve_keys
from tests.support.service import Player, Service, access_token, serving, settings_for

ME = "{ me { user { username } } }"
SUBMIT = """
mutation($token: String!) {
  submitScore(input: {actionToken: $token}) { __typename ... on UserError { code message } }
}
"""

REFUSED = {
    "errors": [{"message": "A valid access token is required.", "extensions": {"code": "UNAUTHENTICATED"}}],
}


async def test_good_tokens_pass_however_they_are_signed_for(service: Service):
    good = access_token_builder(service.settings)
    for token in (
        good.good(),
        good.with_header("kid"),
        good.with_header(kid="chosen by the provider"),
        good.with_header("typ"),
        good.with_header(typ="JWT"),
        good.with_header(extra=1),
    ):
        assert (await Player(service.http, token).ask(ME))["me"]["user"]["username"] == "alice"
        async with connecting(service.socket_url) as client:
            await client.init({"authorization": f"Bearer {token}"})


async def test_every_forged_access_token_gets_the_same_answer_over_http(service: Service):
    tokens = forged_access_tokens(service.settings)
    answers: dict[tuple[Any, ...], list[str]] = {}
    for name, token in tokens.items():
        if token.isascii() and "\0" not in token:
            headers = {"authorization": f"Bearer {token}".strip(), "accept": "application/graphql-response+json"}
            reply = await service.http.post("/graphql", json={"query": ME}, headers=headers)
            varying = ("date", "x-request-id")
            rest = sorted((name, value) for name, value in reply.headers.items() if name not in varying)
            answers.setdefault((reply.status_code, reply.text, *rest), []).append(name)
    assert len(answers) == 1, answers
    ((status, text, *headers),) = answers
    assert (status, json.loads(text)) == (401, REFUSED)
    assert ("www-authenticate", "Bearer") in headers
    assert len(tokens) >= 120


async def test_every_forged_access_token_gets_the_same_answer_over_a_socket(service: Service):
    async def answer(token: str) -> tuple[int, str]:
        async with connecting(service.socket_url) as client:
            await client.say({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
            return await client.close_code()

    answers: dict[tuple[int, str], list[str]] = {}
    for name, token in forged_access_tokens(service.settings).items():
        answers.setdefault(await answer(token), []).append(name)
    assert set(answers) == {(4401, "A valid access token is required.")}, answers


@pytest.mark.parametrize("scheme", ["", "Basic ", "Bearer", "Bearer\t", "Token ", "Bearer Bearer "])
async def test_the_scheme_is_bearer_and_nothing_else(service: Service, scheme: str):
    headers = {"authorization": scheme + access_token(service.settings), "accept": "application/graphql-response+json"}
    reply = await service.http.post("/graphql", json={"query": ME}, headers=headers)
    assert (reply.status_code, reply.json()) == (401, REFUSED)


@pytest.mark.parametrize(
    "authorization", [1, True, [], {}, ["Bearer x"], "Bearer", "\ud800".encode("utf-8", "replace").decode()]
)
async def test_an_odd_authorization_in_connection_init_is_a_bad_token(service: Service, authorization: object):
    async with connecting(service.socket_url) as client:
        await client.say({"type": "connection_init", "payload": {"authorization": authorization}})
        assert await client.close_code() == (4401, "A valid access token is required.")


async def test_only_an_otherwise_valid_token_is_reported_as_expired(service: Service):
    now = int(time.time())
    expired = access_token_builder(service.settings, iat=now - 1000, exp=now - 1)
    reply = await Player(service.http, expired.good()).post(ME)
    assert reply.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED", "reason": "TOKEN_EXPIRED"}
    for token in (expired.with_claims(aud="another"), JwtBuilder("x" * 40, expired.header, expired.claims).good()):
        assert (await Player(service.http, token).post(ME)).json() == REFUSED


async def test_every_forged_action_token_gets_the_same_answer_and_pays_nothing(service: Service):
    alice = service.player("alice")
    user_id = (await alice.play())["user"]["id"]
    good = action_token_builder(service.settings, user_id)
    tokens = forged_tokens(good, access_token_builder(service.settings, sub=user_id)) | {
        "no typ": good.with_header("typ"),
        "no act": good.with_claims("act"),
        "no pts": good.with_claims("pts"),
        "no jti": good.with_claims("jti"),
        "points of text": good.with_claims(pts="50"),
        "points of a float": good.with_claims(pts=50.0),
        "points of true": good.with_claims(pts=True),
        "action of a list": good.with_claims(act=["COMPLETE_LEVEL"]),
        "jti of a number": good.with_claims(jti=7),
        "sub of no user": good.with_claims(sub="alice"),
    }
    answers: dict[str, list[str]] = {}
    for name, token in tokens.items():
        if "\0" in token:  # No store can hold it, so it is refused as any other such text is.
            assert (await alice.post(SUBMIT, token=token)).json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
            continue
        answers.setdefault((await alice.post(SUBMIT, token=token)).text, []).append(name)
    assert len(answers) == 1, answers
    outcome = json.loads(next(iter(answers)))["data"]["submitScore"]
    assert (outcome["__typename"], outcome["code"]) == ("InvalidActionToken", "INVALID_ACTION_TOKEN")
    assert (await alice.play())["previousScore"] == 50


async def test_a_well_signed_action_token_that_was_never_issued_pays_nothing(service: Service):
    alice = service.player("alice")
    user_id = (await alice.play())["user"]["id"]
    outcome = (await alice.ask(SUBMIT, token=action_token_builder(service.settings, user_id).good()))["submitScore"]
    assert outcome["code"] == "INVALID_ACTION_TOKEN"


class OddProvider(Provider):
    """Publishes one key that signs, and more that must not be believed."""

    @property
    def document(self) -> dict[str, Any]:
        key = self.published["k1"]
        return {
            "keys": [
                key,
                {"kty": "oct", "kid": "shared", "k": b64(b"s" * 32)},
                {**key, "use": "enc", "kid": "enc"},
                {"kty": "weird"},
                "nonsense",
            ]
        }


async def test_with_public_keys_nothing_else_signs(database_url: str, redis_url: str):
    provider = OddProvider("k1")
    public = provider.keys["k1"].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    async with serve_keys(provider) as url, serving(settings_for(database_url, redis_url, jwt_jwks_url=url)) as service:
        claims = access_token_builder(service.settings).claims
        good = provider.sign("k1", claims)
        assert (await Player(service.http, good).ask(ME))["me"]["user"]["username"] == "alice"
        header = {"typ": "at+jwt", "kid": "k1"}
        confused = {
            f"{alg} by {name}": JwtBuilder(secret, {**header, "alg": alg}, claims).good()
            for alg in ("HS256", "RS256", "none")
            for name, secret in {
                "PEM": pem,
                "PEM without newline": pem.strip(),
                "modulus": modulus(public),
                "document": json.dumps(provider.published["k1"]),
            }.items()
        }
        more = {
            "shared secret": access_token_builder(service.settings).good(),
            "shared key of the set": JwtBuilder("s" * 32, {**header, "alg": "HS256", "kid": "shared"}, claims).good(),
            "no kid": jwt.encode(claims, provider.keys["k1"], "RS256"),
            "unknown kid": provider.sign("k1", claims, kid="k2"),
            "key for encryption": provider.sign("k1", claims, kid="enc"),
            "another key": Provider("k1").sign("k1", claims),
            "another algorithm of the key": jwt.encode(claims, provider.keys["k1"], "PS256", {"kid": "k1"}),
            "embedded key": Provider("k1").sign("k1", claims, jwk=provider.published["k1"]),
            "changed": good[:-8] + "AAAAAAAA",
            "list of other audiences": provider.sign("k1", {**claims, "aud": ["another", "others"]}),
            "padding": f"{good}=",
            **{f"twin {n}": twin for n, twin in enumerate(equivalent_encodings(good))},
            "longer than permitted": provider.sign("k1", {**claims, "exp": claims["iat"] + 86_401}),
        }
        for name, token in (confused | more).items():
            reply: httpx2.Response = await Player(service.http, token).post(ME)
            assert (reply.status_code, reply.json()) == (401, REFUSED), name
