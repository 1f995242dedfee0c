"""A token pays once, whatever is submitted at the same time, wherever, and whatever happens to Redis."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random
from typing import Any, Protocol

import httpx2
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from tests.support.graphql.socket_client import SocketClient, connecting
from tests.support.processes.service_instances import instance_of
from tests.support.service import SUBMIT, Player, access_token, opened, settings_for
from tests.support.stores import BreakableServer

USERS = 5
TOKENS_PER_USER = 20
SUBMISSIONS = int(os.environ.get("SUBMISSIONS_PER_TOKEN", "30"))
WORKERS = 200

PAID = text(
    """
    SELECT count(*) AS transactions, count(DISTINCT token_hash) AS tokens,
           (SELECT count(*) FROM action_tokens WHERE used_at IS NOT NULL) AS used,
           (SELECT sum(score) FROM scores WHERE period = 'ALL_TIME') AS points
    FROM score_transactions
    """
)


class Line(Protocol):
    """A way to submit tokens of one user, one after the other."""

    async def submit(self, token: str) -> dict[str, Any]: ...


class SocketLine:
    """Submissions over one socket."""

    def __init__(self, client: SocketClient) -> None:
        self._client = client
        self._sent = 0

    async def submit(self, token: str) -> dict[str, Any]:
        self._sent += 1
        operation = str(self._sent)
        await self._client.subscribe(SUBMIT, id=operation, variables={"input": {"actionToken": token}})
        while True:
            message = await self._client.hear()
            if message["type"] == "ping":
                await self._client.say({"type": "pong"})
            elif message["type"] == "next":
                payload: dict[str, Any] = message["payload"]
            elif message["type"] == "complete":
                return _outcome(payload)


class HttpLine:
    """Submissions over HTTP."""

    def __init__(self, player: Player) -> None:
        self._player = player

    async def submit(self, token: str) -> dict[str, Any]:
        return _outcome((await self._player.post(SUBMIT, input={"actionToken": token})).json())


def _outcome(body: dict[str, Any]) -> dict[str, Any]:
    if "errors" in body:
        (error,) = body["errors"]
        return {"__typename": error["extensions"]["code"]}
    outcome: dict[str, Any] = body["data"]["submitScore"]
    return outcome


@asynccontextmanager
async def line(url: str, bearer: str, http: httpx2.AsyncClient, *, socket: bool) -> AsyncIterator[Line]:
    if not socket:
        yield HttpLine(Player(http, bearer))
        return
    address = url.replace("http", "ws", 1) + "/graphql"
    async with connecting(address) as client:
        await client.init({"authorization": f"Bearer {bearer}"})
        yield SocketLine(client)


@asynccontextmanager
async def erasing(url: str) -> AsyncIterator[Counter[str]]:
    """Everything in Redis is erased every 100 ms."""
    erased: Counter[str] = Counter()

    async def erase() -> None:
        async with Redis.from_url(url, socket_timeout=5) as redis:
            while True:
                with suppress(RedisError):
                    await redis.flushall()
                    erased["times"] += 1
                await asyncio.sleep(0.1)

    task = asyncio.create_task(erase())
    try:
        yield erased
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.timeout(120 + 6 * SUBMISSIONS)
async def test_each_token_is_paid_once_over_two_processes_two_transports_and_a_redis_that_forgets(
    database_url: str, redis_server: BreakableServer
):
    settings = settings_for(database_url, redis_server.url)
    many_sockets = {"WS_MAX_CONNECTIONS_PER_USER": "100", "FRAUD_ENABLED": "false"}
    bearers = [access_token(settings, f"player {number}") for number in range(USERS)]
    outcomes: dict[str, list[dict[str, Any]]] = {}
    async with AsyncExitStack() as stack:
        instances = [await stack.enter_async_context(instance_of(settings, **many_sockets)) for _ in range(2)]
        urls = [instance.address for instance in instances]
        limits = httpx2.Limits(max_connections=WORKERS)
        https = [
            await stack.enter_async_context(httpx2.AsyncClient(base_url=url, timeout=30, limits=limits)) for url in urls
        ]
        queues: list[list[str]] = []
        for bearer in bearers:
            tokens = [await Player(https[0], bearer).issue() for _ in range(TOKENS_PER_USER)]
            outcomes |= {token: [] for token in tokens}
            queue = tokens * SUBMISSIONS
            Random(len(queues)).shuffle(queue)
            queues.append(queue)

        async def work(number: int) -> None:
            user, process, socket = number % USERS, number // USERS % 2, number // (2 * USERS) % 2 == 0
            async with line(urls[process], bearers[user], https[process], socket=socket) as way:
                while queues[user]:
                    token = queues[user].pop()
                    outcomes[token].append(await way.submit(token))

        erased = await stack.enter_async_context(erasing(redis_server.url))
        await asyncio.gather(*(work(number) for number in range(WORKERS)))
        assert erased["times"] >= 5

    for received in outcomes.values():
        kinds = Counter(outcome["__typename"] for outcome in received)
        assert kinds["ScoreAccepted"] == 1, kinds
        # A submission that lost five races in a row is asked to come back: nothing was acknowledged.
        assert kinds["ActionTokenUsed"] + kinds["SERVICE_UNAVAILABLE"] == SUBMISSIONS - 1, kinds
        receipts = {one["receipt"]["transactionId"] for one in received if "receipt" in one}
        accepted = {one["transactionId"] for one in received if one["__typename"] == "ScoreAccepted"}
        assert receipts <= accepted

    async with opened(settings) as app:
        async with app.database.connect() as connection:
            paid = (await connection.execute(PAID)).one()
        tokens_issued = USERS * TOKENS_PER_USER
        assert tuple(paid) == (tokens_issued, tokens_issued, tokens_issued, tokens_issued * 50)
        findings = await app.verify.run(lambda *_: None)
        assert [breach for finding in findings for breach in finding.violations] == []
