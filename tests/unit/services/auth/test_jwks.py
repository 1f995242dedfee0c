"""Keys of an identity provider that is slow, changes its mind, or is away."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from app.domain.errors import ServiceUnavailable
from app.services.auth.jwks import MIN_REFRESH_INTERVAL, REFRESH_INTERVAL, JwksKeys
from app.services.auth.key_set_location import MAX_DOCUMENT_BYTES, FixedLocation
from tests.support.runtime import runtime_for
from tests.support.wait_until import TIMEOUT


def modulus() -> str:
    """The modulus of a new key."""
    number = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key().public_numbers().n
    return base64.urlsafe_b64encode(number.to_bytes(256, "big")).rstrip(b"=").decode()


N, OTHER = modulus(), modulus()


class Clock:
    """Sleeps until a test lets it pass."""

    def __init__(self) -> None:
        self.naps: asyncio.Queue[float] = asyncio.Queue()
        self._over: asyncio.Queue[None] = asyncio.Queue()

    async def sleep(self, seconds: float) -> None:
        self.naps.put_nowait(seconds)
        await self._over.get()

    async def pass_on(self) -> float:
        """End the sleep that has begun, and wait for the next one. Returns how long that was to be."""
        self._over.put_nowait(None)
        async with asyncio.timeout(TIMEOUT):
            return await self.naps.get()


class Provider:
    """Answers with a key set, or as a test says."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked = 0
        self.ids = ["k1"]
        self.moduli: dict[str, str] = {}
        self.clock = Clock()
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        await self.answers.wait()
        if self.away:
            raise httpx2.ConnectError("away", request=request)
        return httpx2.Response(
            200,
            json={"keys": [{"kty": "RSA", "kid": kid, "n": self.moduli.get(kid, N), "e": "AQAB"} for kid in self.ids]},
        )

    def keys(self, answer: Callable[[httpx2.Request], object] | None = None, **more: float) -> JwksKeys:
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer or self.answer))  # type: ignore[arg-type]
        location = FixedLocation("https://login.example.com/keys.json")
        return JwksKeys(
            location, http, runtime_for(monotonic=lambda: self.now, random=Random(1)), sleep=self.clock.sleep, **more
        )


@asynccontextmanager
async def refreshing(keys: JwksKeys, clock: Clock) -> AsyncIterator[None]:
    """Refresh by `clock` until the block ends; at its beginning the first sleep has begun."""
    task = asyncio.create_task(keys.run())
    try:
        async with asyncio.timeout(TIMEOUT):
            await clock.naps.get()
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_concurrent_requests_share_one_fetch_of_the_document():
    provider = Provider()
    keys = provider.keys()
    found = await asyncio.gather(*(keys.candidates("k1") for _ in range(50)))
    assert provider.asked == 1
    assert {one.material.key_id for (one,) in found} == {"k1"}


async def test_a_token_without_an_id_or_with_an_unknown_one_has_no_key():
    keys = Provider().keys()
    assert await keys.candidates(None) == ()
    assert await keys.candidates("k2") == ()


async def test_unknown_ids_cause_a_fetch_at_most_every_few_seconds():
    provider = Provider()
    keys = provider.keys()
    await keys.candidates("k1")
    provider.ids.append("k2")
    for _ in range(20):
        assert await keys.candidates("k2") == ()
    assert provider.asked == 1
    provider.now += MIN_REFRESH_INTERVAL
    assert len(await keys.candidates("k2")) == 1
    assert provider.asked == 2


async def test_a_known_key_never_waits_for_the_provider():
    provider = Provider()
    keys = provider.keys()
    await keys.candidates("k1")
    provider.answers.clear()
    refresh = asyncio.create_task(keys.refresh())
    await asyncio.sleep(0)
    assert len(await keys.candidates("k1")) == 1
    assert not refresh.done()
    provider.answers.set()
    await refresh


async def test_the_scheduled_fetch_detects_a_withdrawn_key():
    provider = Provider()
    provider.ids = ["k1", "k2"]
    keys = provider.keys()
    (gone,), (kept,) = await keys.candidates("k1"), await keys.candidates("k2")
    heard: list[str] = []
    gone.key.listen(lambda: heard.append("gone"))
    kept.key.listen(lambda: heard.append("kept"))
    async with refreshing(keys, provider.clock):
        provider.ids = ["k2"]
        await provider.clock.pass_on()
    assert (gone.key.is_trusted, kept.key.is_trusted, heard) == (False, True, ["gone"])
    assert await keys.candidates("k1") == ()
    assert await keys.candidates("k2") == (kept,)


async def test_the_document_is_fetched_several_times_a_minute_at_varied_intervals():
    provider = Provider()
    keys = provider.keys()
    async with refreshing(keys, provider.clock):
        naps = [await provider.clock.pass_on() for _ in range(20)]
    assert provider.asked == 20
    assert all(0.75 * REFRESH_INTERVAL <= nap <= 1.25 * REFRESH_INTERVAL for nap in naps)
    assert len(set(naps)) == 20
    assert max(naps) < 30


async def test_another_key_under_the_same_id_withdraws_the_old_one():
    provider = Provider()
    keys = provider.keys()
    (old,) = await keys.candidates("k1")
    provider.moduli["k1"] = OTHER
    await keys.refresh()
    (new,) = await keys.candidates("k1")
    assert (old.key.is_trusted, new.key.is_trusted) == (False, True)


async def test_a_key_that_comes_back_does_not_make_cached_callers_valid_again():
    provider = Provider()
    keys = provider.keys()
    (old,) = await keys.candidates("k1")
    provider.ids = ["k2"]
    await keys.refresh()
    provider.ids = ["k1"]
    await keys.refresh()
    (new,) = await keys.candidates("k1")
    assert (old.key.is_trusted, new.key.is_trusted) == (False, True)


async def test_an_empty_key_set_withdraws_every_key():
    provider = Provider()
    keys = provider.keys()
    (old,) = await keys.candidates("k1")
    provider.ids = []
    await keys.refresh()
    assert not old.key.is_trusted
    assert await keys.candidates("k1") == ()


async def test_known_keys_stay_valid_while_the_provider_is_not_reachable():
    provider = Provider()
    keys = provider.keys()
    (before,) = await keys.candidates("k1")
    provider.away = True
    async with refreshing(keys, provider.clock):
        for _ in range(3):
            await provider.clock.pass_on()
    assert provider.asked == 4
    assert await keys.candidates("k1") == (before,)
    assert before.key.is_trusted


async def test_a_fetch_without_an_answer_ends_at_its_timeout_and_is_retried():
    provider = Provider()
    keys = provider.keys(fetch_timeout=0.01)
    provider.answers.clear()
    with pytest.raises(ServiceUnavailable):
        await keys.candidates("k1")
    provider.answers.set()
    await keys.refresh()
    assert len(await keys.candidates("k1")) == 1


async def test_without_any_document_every_token_gets_a_retry_time_and_the_fetch_is_retried():
    provider = Provider()
    provider.away = True
    keys = provider.keys()
    for _ in range(20):
        with pytest.raises(ServiceUnavailable) as away:
            await keys.candidates("k1")
        assert away.value.retry_after == MIN_REFRESH_INTERVAL
    assert provider.asked == 1
    provider.away = False
    provider.now += MIN_REFRESH_INTERVAL
    assert len(await keys.candidates("k1")) == 1


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"7",
        b"{}",
        b'{"keys":7}',
        b'{"keys":[7]}',
        b"<html>",
    ],
)
async def test_an_invalid_document_counts_as_a_failed_fetch(document: bytes):
    keys = Provider().keys(lambda _: httpx2.Response(200, content=document))
    with pytest.raises(ServiceUnavailable):
        await keys.candidates("k1")


async def test_a_document_without_an_end_is_read_up_to_its_maximum_size():
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MAX_DOCUMENT_BYTES:
            sent += 1024
            yield b" " * 1024

    keys = Provider().keys(lambda _: httpx2.Response(200, content=endless()))
    with pytest.raises(ServiceUnavailable):
        await keys.candidates("k1")
    assert sent <= MAX_DOCUMENT_BYTES + 1024


@pytest.mark.parametrize("document", [b'{"keys":[]}', b'{"keys":[{"kty":"RSA","n":7}]}', b'{"keys":[{"kty":"odd"}]}'])
async def test_a_key_set_without_a_usable_key_is_a_valid_document(document: bytes):
    keys = Provider().keys(lambda _: httpx2.Response(200, content=document))
    assert await keys.candidates("k1") == ()
