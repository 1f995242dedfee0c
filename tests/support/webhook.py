"""A real HTTP service that records what it receives, such as a game's verifier, with a response that a test chooses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from tests.support.post_receiver import receiving_posts


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
    async with receiving_posts(webhook.answer) as url:
        webhook.url = f"{url}/completed"
        try:
            yield webhook
        finally:
            webhook.open.set()
