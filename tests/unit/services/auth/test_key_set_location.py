"""Where the key set of an issuer is, as its OpenID configuration says."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from app.services.auth.key_set_location import MAX_CONFIGURATION_AGE, MAX_DOCUMENT_BYTES, DiscoveredLocation
from tests.support.runtime import runtime_for

ISSUER = "https://login.example.com/realms/games"
KEYS = "https://keys.example.com/jwks"


class Provider:
    """Answers with a configuration, and counts who asks."""

    def __init__(self, answer: Any = None, issuer: str = ISSUER, *, encrypted_only: bool = True) -> None:
        self.now = 1000.0
        self.asked: list[str] = []
        self.answer = answer or {"issuer": issuer, "jwks_uri": KEYS}
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(self._respond), follow_redirects=False)
        runtime = runtime_for(monotonic=lambda: self.now)
        self.location = DiscoveredLocation(issuer, http, runtime, encrypted_only=encrypted_only)

    def _respond(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(str(request.url))
        if isinstance(self.answer, httpx2.Response):
            return self.answer
        if isinstance(self.answer, bytes):
            return httpx2.Response(200, content=self.answer)
        return httpx2.Response(200, json=self.answer)


@pytest.mark.parametrize("issuer", [ISSUER, "https://tenant.auth0.com/", "https://tenant.auth0.com"])
async def test_the_configuration_is_below_the_issuer_with_one_slash(issuer: str):
    provider = Provider(issuer=issuer)
    assert await provider.location.url() == KEYS
    assert provider.asked == [issuer.rstrip("/") + "/.well-known/openid-configuration"]


async def test_it_is_read_again_after_an_hour_or_when_there_is_no_key_set():
    provider = Provider()
    for _ in range(3):
        await provider.location.url()
    assert len(provider.asked) == 1
    provider.answer = {"issuer": ISSUER, "jwks_uri": f"{KEYS}/2"}
    provider.location.invalidate()
    assert await provider.location.url() == f"{KEYS}/2"
    provider.now += MAX_CONFIGURATION_AGE
    await provider.location.url()
    assert len(provider.asked) == 3


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"issuer": f"{ISSUER}/", "jwks_uri": KEYS}, "JWT_ISSUER must be the issuer that its OpenID configuration"),
        ({"jwks_uri": KEYS}, "JWT_ISSUER must be the issuer that its OpenID configuration"),
        ({"issuer": ISSUER}, "`jwks_uri`"),
        ({"issuer": ISSUER, "jwks_uri": ["https://x"]}, "`jwks_uri`"),
        ({"issuer": ISSUER, "jwks_uri": "file:///keys"}, "`jwks_uri`"),
        ({"issuer": ISSUER, "jwks_uri": "http://keys.example.com"}, "must begin with https:// in production"),
        (["x"], "must be a JSON object"),
        (b"<html>", "Expecting value"),
        (b" " * (MAX_DOCUMENT_BYTES + 1), "must not be longer"),
    ],
)
async def test_a_configuration_that_cannot_be_used_is_refused(answer: Any, problem: str):
    with pytest.raises(ValueError, match=problem):
        await Provider(answer).location.url()


async def test_redirects_are_not_followed():
    provider = Provider(httpx2.Response(302, headers={"location": "https://elsewhere.example.com"}))
    with pytest.raises(httpx2.HTTPStatusError):
        await provider.location.url()
    assert len(provider.asked) == 1


async def test_key_sets_on_this_machine_may_be_reached_by_http():
    local = {"issuer": ISSUER, "jwks_uri": "http://127.0.0.1:9000/keys"}
    assert await Provider(local).location.url() == "http://127.0.0.1:9000/keys"
    foreign = {"issuer": ISSUER, "jwks_uri": "http://keys.example.com"}
    assert await Provider(foreign, encrypted_only=False).location.url() == "http://keys.example.com"
