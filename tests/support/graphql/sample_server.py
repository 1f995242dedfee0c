"""The sample schema served by uvicorn with the transports of the service, over HTTP and over WebSockets."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID, uuid5

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from app.domain.errors import RateLimited, Unauthenticated
from app.domain.users import Caller, Role, SigningKey
from app.execution import BoundOperation, Engine, Operation
from app.execution.limits.limits import DocumentLimits
from app.transport.http.endpoint import GraphQLEndpoint
from app.transport.http.streams import Streams
from app.transport.multiplexing.multiplexer import SubscriptionMultiplexer
from app.transport.operations import Operations
from app.transport.persisted_documents.resolve import Documents
from app.transport.server.head_cache import RequestHeadCache
from app.transport.server.http_protocol import REQUEST_HEAD_CACHE, BoundedHttpProtocol
from app.transport.sockets.connections import Connections, SocketLimits
from app.transport.sockets.dependencies import SocketDependencies
from app.transport.sockets.endpoint import SocketEndpoint
from app.transport.sockets.websocket_protocol import SocketProtocol
from tests.support.graphql.sample_schema import SCHEMA, Counter, SampleContext, format_error, render_error
from tests.support.wait_until import TIMEOUT, until

USER_NAMESPACE = UUID("00000000-0000-0000-0000-000000000001")


@asynccontextmanager
async def run_uvicorn(config: uvicorn.Config, **state: object) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """Run a server on a free port during the block; yield it and its port.

    Args:
        config: The configuration, without lifespan.
        state: Entries of the lifespan state.
    """
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    server.lifespan.state.update(state)
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)

    async def serve() -> None:
        await server.startup([listener])
        await server.main_loop()
        await server.shutdown([listener])

    task = asyncio.create_task(serve())
    try:
        await until(lambda: server.started or task.done())
        yield server, listener.getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, TIMEOUT)


class HttpContexts:
    """Makes the context of an HTTP request; the name in the bearer token is not verified."""

    def __init__(self, sample: SampleApp) -> None:
        self._sample = sample

    async def from_http(self, scope: Mapping[str, Any]) -> SampleContext:
        """Return a context; the tokens `expired`, `bad` and `crash` raise errors."""
        authorization = dict(scope["headers"]).get(b"authorization", b"").decode()
        if authorization == "Bearer expired":
            raise Unauthenticated(expired=True)
        if authorization == "Bearer bad":
            raise Unauthenticated
        if authorization == "Bearer crash":
            raise RuntimeError("secret")
        return SampleContext(self._sample.counter, authorization.removeprefix("Bearer ") or None)

    async def charge_refusal(self, context: SampleContext) -> None:
        """Count a request that was refused."""
        self._sample.refusals.append(context.viewer)

    def enter(self, context: SampleContext) -> None:
        """Log lines do not name the request."""

    def renew(self, context: SampleContext, request_id: str) -> SampleContext | None:
        """Return the context for another request with the same head, or None if it must be made anew."""
        return None if context.viewer in self._sample.not_renewable else context


@dataclass
class SampleApp:
    """An ASGI application that serves the sample schema over HTTP; created within a running event loop."""

    limits: DocumentLimits = field(default_factory=DocumentLimits)
    documents: Documents = field(default_factory=Documents)
    settings: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the endpoint."""
    operations: dict[str, Any] = field(default_factory=dict)
    """Further arguments of `Operations`."""
    streaming: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the streams."""
    middleware: Sequence[Callable[[ASGIApp], ASGIApp]] = ()
    """From the innermost to the outermost."""

    def __post_init__(self) -> None:
        """Create the endpoint and everything that it needs."""
        self.counter = Counter()
        self.stop = asyncio.Event()
        self.admitted: list[Operation | None] = []
        """The operations that admission was asked for; None for a document that was refused."""
        self.refusals: list[str | None] = []
        """The viewers whose requests were refused before they became operations."""
        self.refuse_with: Exception | None = None
        self.not_renewable: set[str | None] = set()
        """Viewers whose contexts are made anew for every request."""
        self.invalid: dict[str | None, asyncio.Future[Unauthenticated]] = {}
        """For each viewer, the error by which the token becomes invalid."""
        self.engine = Engine(SCHEMA, limits=self.limits, format_error=format_error)
        self.multiplexer = SubscriptionMultiplexer(self.engine, lambda _: SampleContext(self.counter))
        self.streams: Streams[SampleContext] = Streams(
            self.engine,
            self.multiplexer,
            self.stop,
            render_error=render_error,
            validity=self._wait_until_invalid,
            **self.streaming,
        )
        contexts = HttpContexts(self)
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
        """Handle a request."""
        await self.request_head_cache(scope, receive, send)

    async def _wait_until_invalid(self, context: SampleContext) -> Unauthenticated:
        return await asyncio.shield(self.invalid.setdefault(context.viewer, asyncio.Future()))

    async def _admit(
        self, context: SampleContext, bound: BoundOperation | None, *, stores_document: bool = False
    ) -> None:
        self.admitted.append(bound.operation if bound else None)
        if self.refuse_with is not None:
            raise self.refuse_with


@asynccontextmanager
async def serve_http(
    app: ASGIApp,
    protocol: type[BoundedHttpProtocol] = BoundedHttpProtocol,
    *,
    use_head_cache: bool = False,
    **settings: Any,
) -> AsyncIterator[str]:
    """Serve `app` on a free port, and yield its URL; the request head cache is used with `use_head_cache`."""
    settings = {"timeout_graceful_shutdown": 5, "server_header": False, "date_header": False, **settings}
    config = uvicorn.Config(app, http=protocol, lifespan="off", log_config=None, **settings)
    state = {}
    if use_head_cache:
        assert isinstance(app, SampleApp)
        state[REQUEST_HEAD_CACHE] = app.request_head_cache
    async with run_uvicorn(config, **state) as (_, port):
        yield f"http://127.0.0.1:{port}"


class SocketContexts:
    """Makes the context of a socket; the name in `connection_init` or in the header is not verified.

    The name `slow` waits for ever, `expired`, `forged` and `broken` raise errors, and the signing key of `withdrawn` is
    withdrawn while the token is verified.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.lifetime = 3600.0
        self.entered = asyncio.Event()
        self._expires_at: dict[str, int] = {}
        self.keys: dict[str, SigningKey] = {}
        """The signing key of each name's last token."""

    def expires_at(self, name: str) -> int:
        """Return when the last token of `name` expires, in seconds since 1970."""
        return self._expires_at[name]

    def public(self) -> SampleContext:
        """Return a context without a caller."""
        return SampleContext(self._counter)

    async def admit_socket(self, scope: Any) -> str:
        """Return the address of a socket, which a test may set by a header."""
        return dict(scope["headers"]).get(b"x-address", b"192.0.2.1").decode()

    def enter(self, context: SampleContext) -> None:
        """Log lines do not name the request."""

    async def from_socket(self, scope: Any, payload: dict[str, Any]) -> SampleContext:
        """Return the context of a socket."""
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
                caller = Caller(uuid5(USER_NAMESPACE, name), name, None, Role.PLAYER, expires, key)
                return SampleContext(self._counter, name, caller)
        return SampleContext(self._counter)


class InMemoryRegistry:
    """The sockets of users in one process, in place of the registry in Redis."""

    def __init__(self, max_per_user: int = 3) -> None:
        self._max_per_user = max_per_user
        self.users: dict[str, list[str]] = {}

    async def add(self, user_id: str, socket_id: str) -> Sequence[str]:
        """Register a socket and return the sockets that it displaces."""
        ids = self.users.setdefault(user_id, [])
        ids.append(socket_id)
        displaced, self.users[user_id] = ids[: -self._max_per_user], ids[-self._max_per_user :]
        return displaced

    async def remove(self, user_id: str, socket_id: str) -> None:
        """Remove a socket."""
        ids = self.users.get(user_id, [])
        if socket_id in ids:
            ids.remove(socket_id)
        if not ids:
            self.users.pop(user_id, None)


@dataclass
class SampleServer:
    """A running server of the sample schema over WebSockets."""

    port: int
    counter: Counter
    contexts: SocketContexts
    registry: InMemoryRegistry
    multiplexer: SubscriptionMultiplexer
    connections: Connections
    server: uvicorn.Server
    refused_documents: list[SampleContext]
    """The contexts of documents that were refused."""

    @property
    def url(self) -> str:
        """The URL of the endpoint."""
        return f"ws://127.0.0.1:{self.port}/graphql"


@asynccontextmanager
async def serve_sockets(
    *,
    limits: SocketLimits | None = None,
    protocol: type[SocketProtocol] | Literal["websockets-sansio"] = SocketProtocol,
    ping_timeout: float = 10.0,
    allowed: bool = True,
    execution_timeout: float = 10.0,
    wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    documents: Documents | None = None,
) -> AsyncIterator[SampleServer]:
    """Serve the sample schema over WebSockets on a free port during the block; its counter starts at 1."""
    counter = Counter(1)
    engine = Engine(SCHEMA)
    contexts, registry = SocketContexts(counter), InMemoryRegistry()
    multiplexer = SubscriptionMultiplexer(engine, lambda _: contexts.public())
    connections = Connections(limits or SocketLimits(), registry, instance="sample", clock=time.time)
    refused_documents: list[SampleContext] = []

    async def admit(context: SampleContext, bound: BoundOperation | None, *, stores_document: bool = False) -> None:
        if bound is None:
            refused_documents.append(context)
        elif bound.operation.name == "Flood":
            raise RateLimited(retry_after=7)

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
    async with run_uvicorn(config) as (server, port):
        yield SampleServer(port, counter, contexts, registry, multiplexer, connections, server, refused_documents)
