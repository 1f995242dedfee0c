"""Keys of an identity provider that is slow, changes its mind, or is away."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from app.domain.errors import ServiceUnavailable
from app.services.jwks import MAX_AGE, MIN_PAUSE, RETRY_PAUSE, JwksKeys

MODULUS = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key().public_numbers().n
N = base64.urlsafe_b64encode(MODULUS.to_bytes(256, "big")).rstrip(b"=").decode()


class Provider:
    """Answers with a key set, or as a test says."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked = 0
        self.ids = ["k1"]
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        await self.answers.wait()
        if self.away:
            raise httpx2.ConnectError("away", request=request)
        return httpx2.Response(
            200, json={"keys": [{"kty": "RSA", "kid": kid, "n": N, "e": "AQAB"} for kid in self.ids]}
        )

    def keys(self, answer: Callable[[httpx2.Request], object] | None = None) -> JwksKeys:
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer or self.answer))  # type: ignore[arg-type]
        return JwksKeys("https://login.example.com/keys.json", http, lambda: self.now)


async def test_the_document_is_fetched_once_for_all_who_ask():
    provider = Provider()
    keys = provider.keys()
    found = await asyncio.gather(*(keys.candidates("k1") for _ in range(50)))
    assert provider.asked == 1
    assert {one.key_id for (one,) in found} == {"k1"}


async def test_a_token_without_an_id_or_with_an_unknown_one_has_no_key():
    keys = Provider().keys()
    assert await keys.candidates(None) == ()
    assert await keys.candidates("k2") == ()


async def test_an_unknown_id_makes_it_look_for_new_keys_but_not_often():
    provider = Provider()
    keys = provider.keys()
    await keys.candidates("k1")
    provider.ids.append("k2")
    for _ in range(20):
        assert await keys.candidates("k2") == ()
    assert provider.asked == 1
    provider.now += MIN_PAUSE + 1
    assert len(await keys.candidates("k2")) == 1
    assert provider.asked == 2


async def test_nobody_waits_for_the_renewal_of_a_known_key():
    provider = Provider()
    keys = provider.keys()
    await keys.candidates("k1")
    provider.now += MAX_AGE + 1
    provider.answers.clear()
    async with asyncio.timeout(1):
        assert len(await keys.candidates("k1")) == 1
    await asyncio.sleep(0)
    assert provider.asked == 2
    provider.answers.set()


async def test_old_keys_are_good_while_the_provider_is_away():
    provider = Provider()
    keys = provider.keys()
    await keys.candidates("k1")
    provider.away = True
    for _ in range(3):
        provider.now += MAX_AGE + 1
        assert len(await keys.candidates("k1")) == 1
        await asyncio.sleep(0)


async def test_without_any_keys_it_is_asked_again_every_few_seconds_and_everybody_is_told_to_wait():
    provider = Provider()
    provider.away = True
    keys = provider.keys()
    for _ in range(20):
        with pytest.raises(ServiceUnavailable) as away:
            await keys.candidates("k1")
        assert away.value.retry_after == RETRY_PAUSE
    assert provider.asked == 1
    provider.away = False
    provider.now += RETRY_PAUSE
    assert len(await keys.candidates("k1")) == 1


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"7",
        b"{}",
        b'{"keys":7}',
        b'{"keys":[]}',
        b'{"keys":[7]}',
        b'{"keys":[{"kty":"RSA","n":7}]}',
        b"<html>",
    ],
)
async def test_what_is_no_key_set_is_like_no_answer(document: bytes):
    keys = Provider().keys(lambda _: httpx2.Response(200, content=document))
    with pytest.raises(ServiceUnavailable):
        await keys.candidates("k1")
