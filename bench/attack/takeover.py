"""Attacks on the service of others: whether everybody else is served as before while one address demands too much.

Each attack runs in a process of its own, from one address, for a bounded time and with a bounded number of requests.
Addresses are set by `X-Forwarded-For`, which the attacked server trusts from the loopback interface.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any
from uuid import UUID, uuid4

import httpx2
from websockets.exceptions import WebSocketException

from app.config import Settings
from bench.attack.report import ScenarioResult
from bench.attack.victim import Measurement, breaker_trips, newcomer_is_served, victims
from bench.reporting.rounds import percentile
from tests.support.graphql.socket_client import connected
from tests.support.service import access_token

ATTACKER = "198.51.100.{}"
OTHER_ADDRESS = "203.0.113.1"
MAX_RATIO = 2.0
"""How many times as long as before the victims' requests may take."""
NEGLIGIBLE_MS = 25.0
"""Differences below this are not judged: they say more about the machine."""
WARM_UP_SECONDS = 1.0
STOP_TIMEOUT = 30.0
MAX_PENDING = 10
"""Requests of an attacker at a time, so that it is the server which is busy and not this machine."""

HEADER = (
    "attack", "sent", "write p99 ms before", "during", "update p99 ms before", "during", "failed", "lost", "trips",
    "newcomer", "broken promises",
)  # fmt: skip


@dataclass
class Attacker:
    """One attacking process."""

    url: str
    address: str
    token: str
    seconds: float
    size: int
    """How many sockets, subscriptions, streams or documents to use where an attack needs to be told."""
    result: ScenarioResult
    broken: list[str] = field(default_factory=list)
    """Promises that the attacker saw broken."""
    ends_at: float = 0.0

    @property
    def socket_url(self) -> str:
        """The URL of sockets."""
        return self.url.replace("http", "ws", 1) + "/graphql"

    @property
    def headers(self) -> dict[str, str]:
        """The headers that say where the attacker is."""
        return {"x-forwarded-for": self.address}

    @property
    def is_attacking(self) -> bool:
        """Whether the time is not over."""
        return time.monotonic() < self.ends_at

    def client(self) -> httpx2.AsyncClient:
        """Return an HTTP client at the attacker's address."""
        limits = httpx2.Limits(max_connections=None)
        return httpx2.AsyncClient(base_url=self.url, headers=self.headers, timeout=30, limits=limits)

    async def repeat(self, send: Callable[[int], Awaitable[httpx2.Response]], pending: int = MAX_PENDING) -> None:
        """Send requests until the time is over, `pending` at a time, and count the answers."""

        async def one(first: int) -> None:
            number = first
            while self.is_attacking:
                with self.result.timed():
                    try:
                        reply = await send(number)
                        self.result.count(reply.status_code)
                    except httpx2.HTTPError as error:
                        self.result.count(type(error).__name__)
                number += pending

        await asyncio.gather(*(one(first) for first in range(pending)))

    async def hold(self) -> None:
        """Keep what is open until the time is over."""
        await asyncio.sleep(self.ends_at - time.monotonic())


async def expensive_views(attacker: Attacker) -> None:
    """S1: subscribe to comparisons of made-up users, on as few sockets as possible, all different."""
    too_expensive = " ".join(f"a{number}: {_friends(number, 100)}" for number in range(15))
    documents = [f"subscription {{ leaderboardUpdates {{ leaderboard {{ {too_expensive} }} }} }}"]
    for number in range(attacker.size):
        fields = f"a: {_friends(2 * number, 95)} b: {_friends(2 * number + 1, 95)}"
        documents.append(f"subscription {{ leaderboardUpdates {{ leaderboard {{ {fields} }} }} }}")
    async with AsyncExitStack() as stack:
        for first in range(0, len(documents), 20):
            try:
                await _subscribe(attacker, stack, documents[first : first + 20])
            except (WebSocketException, OSError) as error:
                attacker.result.count(_refusal(error))
        await attacker.hold()


async def _subscribe(attacker: Attacker, stack: AsyncExitStack, documents: Sequence[str]) -> None:
    """Start subscriptions on one socket, and count their first answers."""
    client = await stack.enter_async_context(connected(attacker.socket_url, additional_headers=attacker.headers))
    for number, document in enumerate(documents):
        await client.subscribe(document, id=str(number))
        message = await client.hear()
        while message["id"] != str(number):
            message = await client.hear()
        is_error = message["type"] == "error"
        attacker.result.count(message["payload"][0]["extensions"]["code"] if is_error else message["type"])


def _refusal(error: Exception) -> object:
    """Return the close code of a socket that was refused, else the kind of the error."""
    return getattr(getattr(error, "rcvd", None), "code", type(error).__name__)


async def questions_for_the_past(attacker: Attacker) -> None:
    """S2: ask for boards and ranks as they were, each time at another instant."""
    user_id = UUID(int=1)

    async def send(number: int) -> httpx2.Response:
        at = f"2026-{1 + number % 11:02}-{1 + number % 28:02}T{number % 24:02}:{number % 60:02}:30Z"
        document = (
            f'{{ leaderboard(at: "{at}", limit: 100) {{ totalUsers }} }}'
            if number % 2
            else f'{{ userRank(userId: "{user_id}", at: "{at}") {{ rank }} }}'
        )
        return await http.post("/graphql", json={"query": document})

    async with attacker.client() as http:
        await attacker.repeat(send)


async def sockets_and_streams(attacker: Attacker) -> None:
    """S4: open as many sockets and streams as possible, and keep them."""
    async with AsyncExitStack() as stack, attacker.client() as http:
        for _ in range(attacker.size):
            try:
                await stack.enter_async_context(connected(attacker.socket_url, additional_headers=attacker.headers))
                attacker.result.count("socket")
            except (WebSocketException, OSError) as error:
                attacker.result.count(_refusal(error))
        for _ in range(attacker.size):
            body = {"query": "subscription { leaderboardUpdates { kind } }"}
            accept = {"accept": "multipart/mixed;subscriptionSpec=1.0"}
            stream = await stack.enter_async_context(http.stream("POST", "/graphql", json=body, headers=accept))
            attacker.result.count("stream" if stream.status_code == 200 else stream.status_code)
        if attacker.result.answers["503"]:
            attacker.broken.append("too many streams were answered 503")
        await attacker.hold()


async def overruns(attacker: Attacker) -> None:
    """S9: exceed the limits of one account, at the address that the victims have too."""
    async with attacker.client() as http:
        headers = {"authorization": f"Bearer {attacker.token}"}
        await attacker.repeat(lambda _: http.post("/graphql", json={"query": "{ me { role } }"}, headers=headers))


async def probes(attacker: Attacker) -> None:
    """S11: ask whether the instance is ready, from two hundred clients at a time."""
    async with attacker.client() as http:
        await attacker.repeat(lambda _: http.get("/readyz"), pending=200)
    if set(attacker.result.answers) != {"200"}:
        attacker.broken.append("the instance said that it is not ready")


async def refused_early(attacker: Attacker) -> None:
    """S12: send what is refused before it is an operation, and lists that are much too long."""
    ids = json.dumps([str(UUID(int=number)) for number in range(1500)])
    long_list = json.dumps({"query": f"{{ leaderboard {{ friends(userIds: {ids}) {{ rank }} }} }}"})
    post = {"content-type": "application/json"}
    requests: Sequence[dict[str, Any]] = (
        {"method": "POST", "url": "/graphql", "content": '{"query": ' + "[" * 30_000, "headers": post},
        {"method": "POST", "url": "/graphql", "content": "{}", "headers": post | {"accept": "image/png"}},
        {"method": "POST", "url": "/graphql", "content": "query=1", "headers": {"content-type": "text/plain"}},
        {"method": "GET", "url": "/graphql?query={categories{id}}"},
        {"method": "GET", "url": "/nothing/here"},
        {"method": "POST", "url": "/graphql", "content": long_list, "headers": post},
    )
    async with attacker.client() as http:
        await attacker.repeat(lambda number: http.request(**requests[number % len(requests)]))
    if attacker.result.answers["429"] == 0:
        attacker.broken.append("what is refused early is never charged")


async def persisted_documents(attacker: Attacker) -> None:
    """S13: have large documents stored, also those whose request is refused by a limit."""
    refused: list[str] = []

    async def send(number: int) -> httpx2.Response:
        document = f"{{ categories {{ id }} }} # {uuid4()} " + "x" * 50_000
        digest = hashlib.sha256(document.encode()).hexdigest()
        extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
        reply = await http.post("/graphql", json={"query": document, "extensions": extensions})
        if reply.status_code == 429 and len(refused) < 20:
            refused.append(digest)
        if number >= attacker.size:
            await attacker.hold()
        return reply

    async with attacker.client() as http:
        await attacker.repeat(send)
        for digest in refused:
            body = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}
            reply = await http.post("/graphql", json=body, headers={"x-forwarded-for": OTHER_ADDRESS})
            if '"data"' in reply.text:
                attacker.broken.append("a document was stored although its request was refused")
                return


def _friends(number: int, count: int) -> str:
    ids = ", ".join(f'"{UUID(int=number * 1000 + one)}"' for one in range(1, count + 1))
    return f"friends(userIds: [{ids}]) {{ rank }}"


@dataclass(frozen=True)
class Attack:
    """An attack by name.

    Attributes:
        name: The name in the report.
        run: Runs it until its time is over.
        shares_address: Whether the victims are behind the same NAT.
    """

    name: str
    run: Callable[[Attacker], Coroutine[Any, Any, None]]
    shares_address: bool = False


ATTACKS: dict[str, Attack] = {
    "views": Attack("S1 expensive views", expensive_views),
    "past": Attack("S2 questions for the past", questions_for_the_past),
    "sockets": Attack("S4 sockets and streams", sockets_and_streams),
    "blocks": Attack("S9 overruns behind a NAT", overruns, shares_address=True),
    "probes": Attack("S11 readiness probes", probes),
    "refused": Attack("S12 refused early", refused_early),
    "documents": Attack("S13 persisted documents", persisted_documents),
}


@dataclass(frozen=True)
class Outcome:
    """What an attack did to the victims."""

    name: str
    sent: int
    answers: dict[str, int]
    before: Measurement
    during: Measurement
    trips: int
    newcomer: bool
    broken: Sequence[str]
    """Promises that were broken, without those about time."""

    @property
    def slowed(self) -> list[str]:
        """What took too long in comparison with the time before."""
        pairs = (
            ("writes", self.before.writes, self.during.writes),
            ("updates", self.before.updates, self.during.updates),
        )
        return [
            f"{what} took more than {MAX_RATIO:g} times as long"
            for what, before, during in pairs
            if _p99(during) > max(MAX_RATIO * _p99(before), _p99(before) + NEGLIGIBLE_MS)
        ]

    def row(self) -> list[str]:
        """Return the row of the table."""
        times = [self.before.writes, self.during.writes, self.before.updates, self.during.updates]
        return [
            self.name,
            str(self.sent),
            *(f"{_p99(one):.0f}" for one in times),
            *(str(number) for number in (self.during.failed, self.during.lost, self.trips)),
            "served" if self.newcomer else "refused",
            "; ".join([*self.broken, *self.slowed]) or "none",
        ]


async def take_over(name: str, url: str, settings: Settings, *, seconds: float, size: int) -> Outcome:
    """Run one attack on a running server, and measure the victims before and during it."""
    attack = ATTACKS[name]
    address = ATTACKER.format(1 + list(ATTACKS).index(name))
    socket_url = url.replace("http", "ws", 1) + "/graphql"
    shared = address if attack.shares_address else None
    async with (
        httpx2.AsyncClient(base_url=url, timeout=30) as http,
        victims(url, socket_url, settings, shared) as pair,
    ):
        before, trips = await pair.measure(seconds), await breaker_trips(http)
        attacker = Attacker(
            url, address, access_token(settings, f"mallory-{name}"), seconds + 2 * WARM_UP_SECONDS, size,
            ScenarioResult(attack.name),
        )  # fmt: skip
        context = get_context("spawn")
        results, sender = context.Pipe(duplex=False)
        process = context.Process(target=_attack, args=(name, attacker, sender))
        process.start()
        sender.close()
        try:
            await asyncio.to_thread(results.recv)  # It has begun.
            await asyncio.sleep(WARM_UP_SECONDS)
            during = await pair.measure(seconds)
            newcomer = await newcomer_is_served(url, socket_url)
            try:
                attacker = await asyncio.to_thread(results.recv)
            except EOFError:
                raise RuntimeError(f"the attack {attack.name!r} failed") from None
        finally:
            await asyncio.to_thread(process.join, STOP_TIMEOUT)
            process.kill()
        trips = await breaker_trips(http) - trips
    broken = list(attacker.broken)
    broken += [f"{during.failed} writes failed"] if during.failed else []
    broken += [f"{during.lost} updates were lost"] if during.lost else []
    broken += [f"circuit breakers opened {trips} times"] if trips else []
    broken += [] if newcomer else ["a newcomer was refused"]
    answers = dict(attacker.result.answers)
    return Outcome(attack.name, attacker.result.sent, answers, before, during, trips, newcomer, broken)


def _attack(name: str, attacker: Attacker, sender: Any) -> None:
    """Run an attack in this process."""
    attacker.ends_at = time.monotonic() + attacker.seconds
    sender.send("begun")
    with suppress(KeyboardInterrupt):
        asyncio.run(ATTACKS[name].run(attacker))
        sender.send(attacker)


def _p99(durations: Sequence[float]) -> float:
    """Return the 99th percentile in milliseconds."""
    return percentile(durations, 99) * 1000 if durations else 0.0
