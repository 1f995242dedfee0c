"""The application of the peer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from broadcaster import Broadcast
from broadcaster._backends.redis import RedisBackend
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from strawberry.asgi import GraphQL

from bench.peers.idiomatic.schema import Services, build_schema
from bench.peers.idiomatic.scores import CHANNEL, Scores, connect


class SubscribingBackend(RedisBackend):
    """Broadcaster's own backend; as it comes, it delivers nothing with this version of redis-py."""

    async def subscribe(self, channel: str) -> None:
        """Subscribe, and let the listener know that there is something to listen to."""
        await self._pubsub.subscribe(channel)
        self._ready.set()


def create_app(environment: Mapping[str, str]) -> Starlette:
    """Return the application, with the stores and the secret of `environment`."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        engine = create_async_engine(environment["DATABASE_URL"], pool_size=20, max_overflow=0)
        redis = connect(environment["REDIS_URL"])
        broadcast = Broadcast(backend=SubscribingBackend(environment["REDIS_URL"]))
        await broadcast.connect()
        keeper = asyncio.create_task(_hold(broadcast))
        scores = Scores(async_sessionmaker(engine, expire_on_commit=False), redis, broadcast)
        app.state.services = Services(scores, broadcast, environment["JWT_SECRET"], environment["JWT_AUDIENCE"])
        yield
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        await broadcast.disconnect()
        await redis.aclose()
        await engine.dispose()

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    graphql = GraphQL(build_schema())
    routes = [Route("/livez", livez), Route("/graphql", graphql), WebSocketRoute("/graphql", graphql)]
    return Starlette(routes=routes, lifespan=lifespan)


async def _hold(broadcast: Broadcast) -> None:
    """One subscriber that never leaves: the backend's connection forgets how to listen when the last one does."""
    async with broadcast.subscribe(CHANNEL) as subscriber:
        while True:
            await subscriber.get()
