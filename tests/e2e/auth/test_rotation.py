"""Secrets are changed while the service runs, and nobody with a valid token notices."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from app.domain.errors import InvalidSignature
from app.domain.identity.issuers import Issuer
from app.domain.rules.signed_actions import SignedAction, sign
from app.domain.users import Role
from app.services.auth.access_tokens import mint
from app.services.auth.signing_keys import SigningKeys
from tests.support.graphql.socket_client import connecting
from tests.support.service import Player, Service, serving, settings_for

OLD_ACCESS, NEW_ACCESS = "a" * 40, "b" * 40
OLD_ACTION, NEW_ACTION = "c" * 40, "d" * 40

STAGES: list[dict[str, str]] = [
    {"jwt_secret": OLD_ACCESS, "action_token_secret": OLD_ACTION},
    # Everybody learns the new secrets first: an instance must not issue what another cannot read.
    {
        "jwt_secret": OLD_ACCESS,
        "jwt_secret_previous": NEW_ACCESS,
        "action_token_secret": OLD_ACTION,
        "action_token_secret_previous": NEW_ACTION,
    },
    {
        "jwt_secret": NEW_ACCESS,
        "jwt_secret_previous": OLD_ACCESS,
        "action_token_secret": NEW_ACTION,
        "action_token_secret_previous": OLD_ACTION,
    },
]
"""How one secret takes the place of another. The old one is dropped when the last token it signed has expired."""


def access_token(secret: str, subject: str) -> str:
    return mint(
        SigningKeys(secret),
        subject=subject,
        role=Role.PLAYER,
        ttl=900,
        issuer=Issuer("leaderboard"),
        now=int(time.time()),
    )


class Fleet:
    """Two instances over the same stores, replaced one at a time behind a balancer that drains them."""

    def __init__(self, database_url: str, redis_url: str, random: Random) -> None:
        self._stores = database_url, redis_url
        self._prefix = settings_for(*self._stores).redis_prefix
        self._random = random
        self._stacks: list[AsyncExitStack] = []
        self._live: list[Service] = []
        self._requests: Counter[str] = Counter()
        self._answered = asyncio.Condition()

    async def add(self, secrets: dict[str, str]) -> None:
        stack = AsyncExitStack()
        settings = settings_for(*self._stores, redis_prefix=self._prefix, db_pool_max=8, **secrets)
        self._live.append(await stack.enter_async_context(serving(settings)))
        self._stacks.append(stack)

    async def retire(self) -> None:
        """Stop the oldest instance: first nobody is sent there any more, then it goes."""
        service = self._live.pop(0)
        async with self._answered:
            await self._answered.wait_for(lambda: not self._requests[service.url])
        await self._stacks.pop(0).aclose()

    @asynccontextmanager
    async def player(self, token: str) -> AsyncIterator[Player]:
        """A player who talks to any of the instances, for one request."""
        service = self._random.choice(self._live)
        self._requests[service.url] += 1
        try:
            yield Player(service.http, token)
        finally:
            async with self._answered:
                self._requests[service.url] -= 1
                self._answered.notify_all()

    async def close(self) -> None:
        while self._stacks:
            await self.retire()


class Load:
    """Players who ask one instance for permission and submit to another, until they are told to stop."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._stopped = False
        self.outcomes: list[dict[str, Any]] = []

    async def play(self, secret: str, name: str, first: asyncio.Event) -> None:
        """Play on; `first` is set after the first outcome."""
        token = access_token(secret, name)
        while not self._stopped:
            async with self._fleet.player(token) as player:
                permit = await player.issue()
            async with self._fleet.player(token) as player:
                self.outcomes.append(await player.submit(permit))
            first.set()

    def stop(self) -> None:
        self._stopped = True


async def test_two_secrets_change_places_under_load_without_one_refusal(database_url: str, redis_url: str):
    fleet = Fleet(database_url, redis_url, Random(3))
    load, events = Load(fleet), [asyncio.Event() for _ in range(8)]
    try:
        for _ in range(2):
            await fleet.add(STAGES[0])
        async with asyncio.timeout(100), asyncio.TaskGroup() as group:
            for n in range(4):
                group.create_task(load.play(OLD_ACCESS, f"old-{n}", events[n]))
            for stage in STAGES[1:]:
                for _ in range(2):
                    await fleet.add(stage)
                    await fleet.retire()
            for n in range(4, 8):
                group.create_task(load.play(NEW_ACCESS, f"new-{n}", events[n]))
            for event in events:
                await event.wait()
            load.stop()
    finally:
        load.stop()
        await fleet.close()
    assert len(load.outcomes) >= 30
    assert {outcome["__typename"] for outcome in load.outcomes} == {"ScoreAccepted"}


async def test_tokens_of_both_secrets_pass_while_both_are_known_and_the_old_ones_no_longer_when_it_is_dropped(
    database_url: str, redis_url: str
):
    old, new = access_token(OLD_ACCESS, "alice"), access_token(NEW_ACCESS, "alice")
    async with serving(settings_for(database_url, redis_url, **STAGES[2])) as service:
        for token in (old, new):
            await Player(service.http, token).ask("{ me { openTokens } }")
            async with connecting(service.socket_url) as client:
                await client.init({"authorization": f"Bearer {token}"})
        permit = await Player(service.http, old).issue()
    final = {"jwt_secret": NEW_ACCESS, "action_token_secret": NEW_ACTION}
    async with serving(settings_for(database_url, redis_url, **final)) as service:
        assert (await Player(service.http, old).fails("{ me { openTokens } }"))["code"] == "UNAUTHENTICATED"
        assert (await Player(service.http, new).submit(permit))["__typename"] == "ScoreAccepted"


async def test_a_process_that_starts_without_the_old_secrets_accepts_nothing_they_signed(
    database_url: str, redis_url: str
):
    old, new = access_token(OLD_ACCESS, "alice"), access_token(NEW_ACCESS, "alice")
    async with serving(settings_for(database_url, redis_url, **STAGES[0])) as service:
        alice = Player(service.http, old)
        permit = await alice.issue()
        for _ in range(2):  # The second time it is remembered.
            await alice.ask("{ me { openTokens } }")
        session = await service.app.signing_sessions.open(await service.app.access_tokens.verify(old))
    dropped = {"jwt_secret": NEW_ACCESS, "action_token_secret": NEW_ACTION}
    async with serving(settings_for(database_url, redis_url, **dropped)) as service:
        assert await Player(service.http, old).fails("{ me { openTokens } }") == {"code": "UNAUTHENTICATED"}
        async with connecting(service.socket_url) as client:
            await client.say({"type": "connection_init", "payload": {"authorization": f"Bearer {old}"}})
            assert (await client.close_code())[0] == 4401
        assert (await Player(service.http, new).submit(permit))["__typename"] == "InvalidActionToken"
        action = SignedAction(session.key_id, uuid4(), "COMPLETE_LEVEL", None, datetime.now(UTC))
        with pytest.raises(InvalidSignature):
            await service.app.signing_sessions.check(
                await service.app.access_tokens.verify(new), action, sign(session.secret, action)
            )
