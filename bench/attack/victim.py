"""The victims of an attack: a writer and a watcher who do nothing unusual, at addresses of their own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
from websockets.exceptions import ConnectionClosed

from app.config import Settings
from app.domain.users import Role
from bench.workloads.documents import RECORD
from tests.support.graphql.socket_client import SocketClient, connected
from tests.support.service import access_token

WRITER, WATCHER, NEWCOMER = "192.0.2.10", "192.0.2.11", "192.0.2.12"
PLAYERS = 3
LEAD = 500_000
"""The points by which the players lead, so that each of their scores is in sight of the watcher."""

WRITES_PER_SECOND = 20
GRACE_SECONDS = 15.0
"""How long an update may take before it counts as lost, and a write before it counts as failed."""

# The players of all attacks on one server are at the top of its board.
WATCH = "subscription { leaderboardUpdates(limit: 50) { leaderboard { entries { score user { id } } } } }"
ADJUST = "mutation($input: AdjustScoreInput!) { adjustScore(input: $input) { newScore } }"


@dataclass
class Measurement:
    """What the victims met in some seconds. Durations are in seconds."""

    writes: list[float] = field(default_factory=list)
    updates: list[float] = field(default_factory=list)
    failed: int = 0
    lost: int = 0


@dataclass(frozen=True)
class PendingUpdate:
    """A score that the watcher has not seen yet."""

    score: int
    sent_at: float


class Victims:
    """A writer, who records actions as a game's back-end does, and a watcher of the board."""

    def __init__(self, http: httpx2.AsyncClient, socket: SocketClient, settings: Settings, address: str) -> None:
        self._http = http
        self._socket = socket
        self._server = access_token(settings, "game-server", Role.SERVER)
        self._moderator = access_token(settings, "moderator", Role.MODERATOR)
        self._address = address
        self._pending: dict[str, list[PendingUpdate]] = {}
        self._seen: dict[str, int] = {}
        self._measurement = Measurement()
        self._names = [f"victim-{uuid4().hex[:8]}" for _ in range(PLAYERS)]

    async def prepare(self) -> None:
        """Put the players at the top of the board."""
        for name in self._names:
            user_id, _ = await self._record(name)
            given = {
                "userId": user_id,
                "adjustment": {"delta": LEAD},
                "reason": "top of the board",
                "idempotencyKey": uuid4().hex,
            }
            await self._post(ADJUST, given, self._moderator)

    async def measure(self, seconds: float) -> Measurement:
        """Write at a steady rate, and wait until the watcher has seen everything that was accepted."""
        self._measurement = measurement = Measurement()
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as writes:
            started = loop.time()
            for number in range(max(1, round(seconds * WRITES_PER_SECOND))):
                await asyncio.sleep(started + number / WRITES_PER_SECOND - loop.time())
                writes.create_task(self._write(self._names[number % PLAYERS]))
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                while any(self._pending.values()):  # noqa: ASYNC110 - the watcher empties it
                    await asyncio.sleep(0.01)
        measurement.lost = sum(map(len, self._pending.values()))
        self._pending.clear()
        return measurement

    async def watch(self) -> None:
        """Take updates until cancelled, or until the server closes the socket: then all further ones are lost."""
        with suppress(ConnectionClosed):
            await self._socket.subscribe(WATCH)
            while True:
                message = json.loads(await self._socket.connection.recv())
                if message["type"] != "next":
                    return
                board = message["payload"]["data"]["leaderboardUpdates"]["leaderboard"]
                now = time.perf_counter()
                for entry in board["entries"]:
                    self._see(entry["user"]["id"], entry["score"], now)

    def _see(self, user_id: str, score: int, now: float) -> None:
        self._seen[user_id] = score
        pending = self._pending.get(user_id, [])
        self._measurement.updates += [now - one.sent_at for one in pending if one.score <= score]
        self._pending[user_id] = [one for one in pending if one.score > score]

    async def _write(self, name: str) -> None:
        sent_at = time.perf_counter()
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                user_id, score = await self._record(name)
        except (TimeoutError, httpx2.HTTPError, RuntimeError, ValueError):
            self._measurement.failed += 1
            return
        self._measurement.writes.append(time.perf_counter() - sent_at)
        if self._seen.get(user_id, 0) >= score:  # The update came before the receipt.
            self._measurement.updates.append(self._measurement.writes[-1])
        else:
            self._pending.setdefault(user_id, []).append(PendingUpdate(score, sent_at))

    async def _record(self, name: str) -> tuple[str, int]:
        given = {
            "actionType": "COMPLETE_LEVEL",
            "user": {"subject": name},
            "username": name,
            "idempotencyKey": uuid4().hex,
        }
        outcome = (await self._post(RECORD, given, self._server))["recordAction"]
        if outcome["__typename"] != "ScoreAccepted":
            raise RuntimeError(str(outcome))
        return outcome["user"]["id"], outcome["newScore"]

    async def _post(self, query: str, given: Mapping[str, object], token: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token}", "x-forwarded-for": self._address}
        reply = await self._http.post("/graphql", json={"query": query, "variables": {"input": given}}, headers=headers)
        body = reply.json()
        if "errors" in body:
            raise RuntimeError(str(body["errors"]))
        data: dict[str, Any] = body["data"]
        return data


@asynccontextmanager
async def victims(url: str, socket_url: str, settings: Settings, address: str | None = None) -> AsyncIterator[Victims]:
    """Run the victims during the block, at `address` if they share it with the attacker."""
    watcher = {"x-forwarded-for": address or WATCHER}
    async with (
        httpx2.AsyncClient(base_url=url, timeout=GRACE_SECONDS) as http,
        connected(socket_url, additional_headers=watcher) as socket,
    ):
        pair = Victims(http, socket, settings, address or WRITER)
        await pair.prepare()
        watching = asyncio.create_task(pair.watch())
        try:
            yield pair
        finally:
            watching.cancel()


async def newcomer_is_served(url: str, socket_url: str) -> bool:
    """Whether a client who comes during the attack gets a snapshot by a socket, and by a stream."""
    headers = {"x-forwarded-for": NEWCOMER}
    try:
        async with asyncio.timeout(GRACE_SECONDS):
            async with connected(socket_url, additional_headers=headers) as client:
                await client.subscribe(WATCH)
                await client.hear_next()
            accept = headers | {"accept": "multipart/mixed;subscriptionSpec=1.0"}
            async with (
                httpx2.AsyncClient(base_url=url, timeout=GRACE_SECONDS) as http,
                http.stream("POST", "/graphql", json={"query": WATCH}, headers=accept) as stream,
            ):
                return stream.status_code == 200
    except (TimeoutError, OSError, AssertionError, ConnectionClosed, httpx2.HTTPError):
        return False


async def breaker_trips(http: httpx2.AsyncClient) -> int:
    """Return how often the circuit breakers of the stores have opened."""
    lines = (await http.get("/metrics")).text.splitlines()
    return sum(
        int(float(line.split()[-1])) for line in lines if line.startswith("leaderboard_store_circuit_trips_total{")
    )
