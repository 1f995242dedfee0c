"""A small schema served by the real HTTP transport, for tests that need no store."""

from __future__ import annotations

import asyncio
import socket as sockets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import strawberry
import uvicorn
from graphql import GraphQLError
from starlette.types import ASGIApp, Receive, Scope, Send

from app.domain.errors import DomainError, RateLimited, Unauthenticated
from app.execution import Engine, Operation
from app.execution.limits.limits import DocumentLimits
from app.transport.http.endpoint import GraphQLEndpoint
from app.transport.http.streams import Streams
from app.transport.multiplexing.multiplexer import SubscriptionMultiplexer
from app.transport.operations import Operations
from app.transport.persisted_documents.resolve import Documents
from app.transport.server.head_cache import RequestHeadCache
from app.transport.server.http_protocol import REQUEST_HEAD_CACHE, BoundedHttpProtocol


class Counter:
    """A number that subscriptions watch."""

    def __init__(self) -> None:
        self.value = 0
        self.watchers = 0
        self._moved = asyncio.Condition()

    async def move(self) -> None:
        async with self._moved:
            self.value += 1
            self._moved.notify_all()

    async def watched_by(self, watchers: int) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self.watchers == watchers)

    async def _after(self, seen: int) -> int:
        async with self._moved:
            await self._moved.wait_for(lambda: self.value > seen)
            return self.value

    async def values(self) -> AsyncGenerator[int, None]:
        async with self._moved:
            self.watchers += 1
            self._moved.notify_all()
        try:
            seen = self.value
            yield seen
            while True:
                seen = await self._after(seen)
                yield seen
        finally:
            async with self._moved:
                self.watchers -= 1
                self._moved.notify_all()


@dataclass
class SampleContext:
    """`viewer` is the bearer token of the request, taken at its word."""

    sample: SampleApp
    viewer: str | None = None


Info = strawberry.Info[SampleContext, None]


@strawberry.type
class Leaf:
    name: str


@strawberry.type
class Node:
    id: strawberry.ID

    @strawberry.field
    def child(self) -> Node:
        return Node(id=strawberry.ID(self.id + "+"))

    @strawberry.field
    def children(self, limit: int = 10) -> list[Node]:
        return [Node(id=strawberry.ID(f"{self.id}.{n}")) for n in range(limit)]

    @strawberry.field
    def leaves(self) -> list[Leaf]:
        return [Leaf(name="leaf")]


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"hello {name}"

    @strawberry.field
    def node(self, limit: int = 10) -> Node:
        return Node(id=strawberry.ID("1"))

    @strawberry.field
    def counter(self, info: Info) -> int:
        return info.context.sample.counter.value

    @strawberry.field(metadata={"viewer": True})
    def viewer(self, info: Info) -> str:
        if info.context.viewer is None:
            raise Unauthenticated
        return info.context.viewer

    @strawberry.field
    def limited(self) -> str | None:
        raise RateLimited(7)

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("secret")

    @strawberry.field
    async def slow(self, info: Info) -> str:
        await info.context.sample.released.wait()
        return "done"


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def move(self, info: Info) -> int:
        await info.context.sample.counter.move()
        return info.context.sample.counter.value


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def counter(self, info: Info) -> AsyncGenerator[int, None]:
        async for value in info.context.sample.counter.values():
            yield value

    @strawberry.subscription
    async def countdown(self, start: int = 2) -> AsyncGenerator[int, None]:
        for value in range(start, 0, -1):
            yield value

    @strawberry.subscription
    async def flood(self) -> AsyncGenerator[str, None]:
        while True:
            yield "x" * 50_000
            await asyncio.sleep(0)

    @strawberry.subscription
    async def refused(self) -> AsyncGenerator[int, None]:
        raise RateLimited(3)
        yield 1

    @strawberry.subscription(metadata={"viewer": True})
    async def whisper(self, info: Info) -> AsyncGenerator[str, None]:
        async for value in info.context.sample.counter.values():
            yield f"{info.context.viewer}:{value}"


SCHEMA = strawberry.Schema(Query, Mutation, Subscription)


def render_error(error: Exception) -> dict[str, Any]:
    """A domain error as clients see it, anything else masked."""
    if isinstance(error, DomainError):
        return {"message": error.message, "extensions": {"code": error.code, **error.facts()}}
    return {"message": "Something went wrong.", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}


def format_error(error: GraphQLError) -> dict[str, Any]:
    """An error of an execution as clients see it."""
    formatted: dict[str, Any] = dict(error.formatted)
    return formatted if error.original_error is None else formatted | render_error(error.original_error)


class Contexts:
    def __init__(self, sample: SampleApp) -> None:
        self._sample = sample

    async def from_http(self, scope: Mapping[str, Any]) -> SampleContext:
        authorization = dict(scope["headers"]).get(b"authorization", b"").decode()
        if authorization == "Bearer expired":
            raise Unauthenticated(expired=True)
        if authorization == "Bearer bad":
            raise Unauthenticated
        if authorization == "Bearer crash":
            raise RuntimeError("secret")
        viewer = authorization.removeprefix("Bearer ") or None
        return SampleContext(self._sample, viewer)

    def renew(self, context: SampleContext, request_id: str) -> SampleContext | None:
        return None if context.viewer in self._sample.unrenewable else context


@dataclass
class SampleApp:
    """Everything a test of the HTTP transport may want to reach into. Made within a running event loop."""

    limits: DocumentLimits = field(default_factory=DocumentLimits)
    documents: Documents = field(default_factory=Documents)
    settings: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the endpoint."""
    operations: dict[str, Any] = field(default_factory=dict)
    """Further arguments of `Operations`."""
    streaming: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the streams."""
    middleware: Sequence[Callable[[ASGIApp], ASGIApp]] = ()
    """From the inside out."""

    def __post_init__(self) -> None:
        self.counter = Counter()
        self.released = asyncio.Event()
        self.stop = asyncio.Event()
        self.admitted: list[Operation | None] = []
        self.refuse_with: Exception | None = None
        self.unrenewable: set[str | None] = set()
        self.invalid: dict[str | None, asyncio.Future[Unauthenticated]] = {}
        """Why the token of a viewer is no longer good."""
        self.engine = Engine(SCHEMA, limits=self.limits, format_error=format_error)
        self.multiplexer = SubscriptionMultiplexer(self.engine, lambda: SampleContext(self))
        self.streams: Streams[SampleContext] = Streams(
            self.engine,
            self.multiplexer,
            self.stop,
            render_error=render_error,
            validity=self._until_invalid,
            **self.streaming,
        )
        contexts = Contexts(self)
        self.endpoint: GraphQLEndpoint[SampleContext] = GraphQLEndpoint(
            Operations(self.engine, self.documents, self._admit, **self.operations),
            contexts,
            self.streams,
            render_error=render_error,
            **self.settings,
        )
        app: ASGIApp = self.endpoint
        for wrap in self.middleware:
            app = wrap(app)
        self.request_head_cache = RequestHeadCache(app, lambda: "made-here")
        self.request_head_cache.open(self.endpoint, contexts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.request_head_cache(scope, receive, send)

    async def _until_invalid(self, context: SampleContext) -> Unauthenticated:
        return await asyncio.shield(self.invalid.setdefault(context.viewer, asyncio.Future()))

    async def _admit(self, context: SampleContext, operation: Operation | None) -> None:
        self.admitted.append(operation)
        if self.refuse_with is not None:
            raise self.refuse_with


@asynccontextmanager
async def served(
    app: ASGIApp, protocol: type[BoundedHttpProtocol] = BoundedHttpProtocol, *, caching: bool = False, **settings: Any
) -> AsyncIterator[str]:
    """The base URL of a real server on a free port. `caching`: with a request head cache."""
    settings = {"timeout_graceful_shutdown": 5, "server_header": False, "date_header": False, **settings}
    config = uvicorn.Config(app, port=0, http=protocol, lifespan="off", log_config=None, **settings)
    server = uvicorn.Server(config)
    with sockets.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config.load()
        server.lifespan = config.lifespan_class(config)
        if caching:
            assert isinstance(app, SampleApp)
            server.lifespan.state[REQUEST_HEAD_CACHE] = app.request_head_cache
        await server.startup([listener])
        host, port = listener.getsockname()
        try:
            yield f"http://{host}:{port}"
        finally:
            await server.shutdown([listener])
