"""A real HTTP service that records what it receives, such as a game's verifier, with a response that a test chooses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass
class Webhook:
    """Its requests, and its response, which it sends once `open` is set."""

    url: str = ""
    status: int = 200
    body: bytes = b'{"accepted": true}'
    open: asyncio.Event = field(default_factory=asyncio.Event)
    received: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        """Record a request and answer it."""
        self.asked.append((dict(request.headers), await request.body()))
        self.received.set()
        await self.open.wait()
        return Response(self.body, self.status, media_type="application/json")


@asynccontextmanager
async def running_webhook() -> AsyncIterator[Webhook]:
    """Run a webhook that confirms every completion until a test changes its response."""
    webhook = Webhook()
    webhook.open.set()
    app = Starlette(routes=[Route("/{path:path}", webhook.answer, methods=["POST"])])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config: Any = uvicorn.Config(app, log_config=None, lifespan="off")
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup([listener])
        webhook.url = f"http://127.0.0.1:{listener.getsockname()[1]}/completed"
        try:
            yield webhook
        finally:
            webhook.open.set()
            server.force_exit = True
            await server.shutdown([listener])
