"""How long a stream may go on: until its access token is no longer good."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

from app.context import Context, Services
from app.domain.users import Caller, Role, SigningKey
from app.runtime import utc_now
from app.transport.token_validity import until_invalid


def context(key: SigningKey, seconds_left: int) -> Context:
    caller = Caller(uuid4(), "alice", None, Role.PLAYER, int(time.time()) + seconds_left, key)
    return Context(cast(Services, SimpleNamespace(clock=utc_now)), caller)


async def test_an_expired_token_says_so():
    async with asyncio.timeout(10):
        assert (await until_invalid(context(SigningKey(), -1))).expired


async def test_a_key_that_is_withdrawn_ends_it_and_is_no_expiry():
    key = SigningKey()
    waiting = asyncio.create_task(until_invalid(context(key, 3600)))
    await asyncio.sleep(0)
    assert not waiting.done()
    key.withdraw()
    async with asyncio.timeout(10):
        assert not (await waiting).expired


async def test_a_key_that_was_withdrawn_before_ends_it_too():
    key = SigningKey()
    key.withdraw()
    async with asyncio.timeout(10):
        assert not (await until_invalid(context(key, 3600))).expired


async def test_a_key_remembers_no_stream_that_has_ended():
    key = SigningKey()
    waiting = asyncio.create_task(until_invalid(context(key, 3600)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert not key._listeners
