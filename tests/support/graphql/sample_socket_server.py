"""A small schema with a counter to subscribe to, served over sockets by a real uvicorn."""

from __future__ import annotations

import asyncio
import socket as sockets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID, uuid5

import strawberry
import uvicorn
from starlette.types import ASGIApp
from strawberry.types import Info

from app.domain.errors import RateLimited, Unauthenticated
from app.domain.users import Caller, Role, SigningKey
from app.execution import Engine, Operation
from app.transport.multiplexing.multiplexer import SubscriptionMultiplexer
from app.transport.operations import Operations
from app.transport.persisted_documents.resolve import Documents
from app.transport.sockets.connections import Connections, SocketLimits
from app.transport.sockets.dependencies import SocketDependencies
from app.transport.sockets.endpoint import SocketEndpoint
from app.transport.sockets.websocket_protocol import SocketProtocol
from tests.support.wait_until import TIMEOUT

NAMES = UUID("00000000-0000-0000-0000-000000000001")


class Counter:
    """A number to watch. A watcher that is slow skips numbers, as with the hub."""

    def __init__(self) -> None:
        self.version = 1
        self.text = ""
        self.reads = 0
        """How many watchers read the first number."""
        self.refused = 0
        self.seen = 0
        """The last number that any subscriber got."""
        self.watchers = 0
        self.failure: Exception | None = None
        self.finished = False
        self.gate = asyncio.Event()
        """What slow resolvers wait for, after setting `entered`."""
        self.entered = asyncio.Event()
        self.cancelled = asyncio.Event()
        self._moved = asyncio.Condition()

    async def move(self, *, text: str = "") -> None:
        async with self._moved:
            self.version += 1
            self.text = text or self.text
            self._moved.notify_all()

    async def finish(self, failure: Exception | None = None) -> None:
        async with self._moved:
            self.finished, self.failure = True, failure
            self._moved.notify_all()

    async def wait(self) -> None:
        self.entered.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def watchers_are(self, number: int) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self.watchers == number)

    async def watch(self) -> AsyncGenerator[tuple[str, int], None]:
        self.watchers += 1
        self.reads += 1
        kind, seen = "SNAPSHOT", 0
        try:
            while True:
                async with self._moved:
                    while not self.finished and self.version == seen:
                        await self._moved.wait()
                if self.failure:
                    raise self.failure
                if self.finished:
                    return
                seen = self.seen = self.version
                yield kind, seen
                kind = "UPDATE"
        finally:
            self.watchers -= 1
            async with self._moved:
                self._moved.notify_all()


@dataclass
class SampleContext:
    counter: Counter
    caller: Caller | None = None
    marks: int = 0


@strawberry.type
class Tick:
    kind: str
    version: int
    board: str
    text: str


@strawberry.type
class Secret:
    owner: str
    version: int
    text: str


@strawberry.type
class Query:
    @strawberry.field
    async def version(self, info: Info[SampleContext, None]) -> int:
        return info.context.counter.version

    @strawberry.field(metadata={"viewer": True})
    async def me(self, info: Info[SampleContext, None]) -> str | None:
        return info.context.caller.username if info.context.caller else None

    @strawberry.field
    async def mark(self, info: Info[SampleContext, None]) -> int:
        info.context.marks += 1
        return info.context.marks

    @strawberry.field
    async def slow(self, info: Info[SampleContext, None]) -> int:
        await info.context.counter.wait()
        return info.context.counter.version

    @strawberry.field
    async def broken(self) -> str:
        raise ValueError("an internal detail")


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def move(self, info: Info[SampleContext, None]) -> int:
        await info.context.counter.move()
        return info.context.counter.version

    @strawberry.mutation
    async def slowly(self, info: Info[SampleContext, None]) -> int:
        await info.context.counter.wait()
        await info.context.counter.move()
        return info.context.counter.version


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(
        self, info: Info[SampleContext, None], board: str = "global", limit: int = 10
    ) -> AsyncGenerator[Tick, None]:
        async for kind, version in info.context.counter.watch():
            yield Tick(kind=kind, version=version, board=board, text=info.context.counter.text)

    @strawberry.subscription(metadata={"viewer": True})
    async def secrets(self, info: Info[SampleContext, None]) -> AsyncGenerator[Secret, None]:
        async for _, version in info.context.counter.watch():
            owner = info.context.caller.username if info.context.caller else "nobody"
            yield Secret(owner=owner, version=version, text=info.context.counter.text)

    @strawberry.subscription
    async def failing(self) -> AsyncGenerator[int, None]:
        if False:
            yield 0
        raise ValueError("an internal detail")


class SampleContexts:
    """Authenticates any name without a token. `slow` never answers, `expired` and `forged` are refused.

    The signing key of `withdrawn` is withdrawn during the verification.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.lifetime = 3600.0
        self.entered = asyncio.Event()
        self._expires_at: dict[str, int] = {}
        self.keys: dict[str, SigningKey] = {}
        """The signing key of each name's last token."""

    def expires_at(self, name: str) -> int:
        return self._expires_at[name]

    def public(self) -> SampleContext:
        return SampleContext(self._counter)

    async def from_socket(self, scope: Any, payload: dict[str, Any]) -> SampleContext:
        headers = dict(scope["headers"])
        name = payload.get("authorization") or headers.get(b"authorization", b"").decode() or None
        match name:
            case "slow":
                self.entered.set()
                await asyncio.Event().wait()
            case "expired":
                raise Unauthenticated(expired=True)
            case "forged":
                raise Unauthenticated
            case "broken":
                raise ValueError("an internal detail")
            case str():
                expires = self._expires_at[name] = int(time.time() + self.lifetime)
                key = self.keys[name] = SigningKey()
                if name == "withdrawn":
                    key.withdraw()
                return SampleContext(self._counter, Caller(uuid5(NAMES, name), name, None, Role.PLAYER, expires, key))
        return SampleContext(self._counter)


class Registry:
    """The sockets of users in one process: what the store does for all of them."""

    def __init__(self, most: int = 3) -> None:
        self._most = most
        self.users: dict[str, list[str]] = {}

    async def add(self, user_id: str, socket_id: str) -> Sequence[str]:
        ids = self.users.setdefault(user_id, [])
        ids.append(socket_id)
        displaced, self.users[user_id] = ids[: -self._most], ids[-self._most :]
        return displaced

    async def remove(self, user_id: str, socket_id: str) -> None:
        ids = self.users.get(user_id, [])
        if socket_id in ids:
            ids.remove(socket_id)
        if not ids:
            self.users.pop(user_id, None)


async def admit(context: SampleContext, operation: Operation | None) -> None:
    """Refuse an operation called `Flood`, and count the documents that were refused."""
    if operation is None:
        context.counter.refused += 1
    elif operation.name == "Flood":
        raise RateLimited(retry_after=7)


@dataclass
class SampleSocketServer:
    port: int
    counter: Counter
    contexts: SampleContexts
    registry: Registry
    multiplexer: SubscriptionMultiplexer
    connections: Connections
    server: uvicorn.Server

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/graphql"


@asynccontextmanager
async def serving(
    *,
    limits: SocketLimits | None = None,
    protocol: type[SocketProtocol] | Literal["websockets-sansio"] = SocketProtocol,
    ping_timeout: float = 10.0,
    allowed: bool = True,
    execution_timeout: float = 10.0,
    wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    documents: Documents | None = None,
) -> AsyncIterator[SampleSocketServer]:
    """A server on a free port, until the end of the block."""
    counter = Counter()
    engine = Engine(strawberry.Schema(Query, Mutation, Subscription))
    contexts, registry = SampleContexts(counter), Registry()
    multiplexer = SubscriptionMultiplexer(engine, contexts.public)
    connections = Connections(limits or SocketLimits(), registry, instance="sample", clock=time.time)
    operations = Operations(engine, documents or Documents(), admit, execution_timeout=execution_timeout)
    dependencies = SocketDependencies(operations, multiplexer, contexts, connections)
    config = uvicorn.Config(
        wrap(SocketEndpoint(dependencies, allowed=lambda scope: allowed)),  # type: ignore[arg-type]
        ws=protocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        ws_max_size=65536,
        ws_per_message_deflate=False,
        ws_ping_timeout=ping_timeout,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    server.config.load()
    listener = sockets.create_server(("127.0.0.1", 0), backlog=4096)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield SampleSocketServer(
            listener.getsockname()[1], counter, contexts, registry, multiplexer, connections, server
        )
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, TIMEOUT)
