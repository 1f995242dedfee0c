"""A receiver of webhooks that verifies every delivery, and answers as a test decides."""

from __future__ import annotations

import base64
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tests.support.events import checked
from tests.support.post_receiver import receiving_posts


async def accept(event: dict[str, Any]) -> int:
    """Take every event."""
    return 204


@dataclass
class Receiver:
    """Its deliveries in the order of their arrival, and those that it has answered with success."""

    url: str = ""
    answer: Callable[[dict[str, Any]], Awaitable[int]] = accept
    secrets: list[str] = field(default_factory=list)
    arrived: list[dict[str, Any]] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    bodies: dict[str, set[bytes]] = field(default_factory=dict)
    signed_with: list[list[str]] = field(default_factory=list)
    """The secrets of the signatures of each delivery, of those known here."""

    async def receive(self, request: Request) -> Response:
        """Verify a delivery and answer it."""
        body = await request.body()
        event = checked(body.decode())
        assert request.headers["webhook-id"] == event["id"]
        self.signed_with.append(self._verify(request, body))
        self.bodies.setdefault(event["id"], set()).add(body)
        self.arrived.append(event)
        status = await self.answer(event)
        if status < 300:
            self.taken.append(event)
        content = None if status == 204 else "what is said here does not matter"
        return Response(content, status, headers={"location": "http://127.0.0.1:1/"})

    def _verify(self, request: Request, body: bytes) -> list[str]:
        """Return the secrets with which the delivery is signed, as a receiver finds them by the standard."""
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + body
        given = request.headers["webhook-signature"].split()
        found = []
        for secret in self.secrets:
            key = base64.b64decode(secret.removeprefix("whsec_"))
            expected = "v1," + base64.b64encode(hmac.new(key, signed, "sha256").digest()).decode()
            found += [secret for one in given if hmac.compare_digest(one, expected)]
        return found

    @property
    def ids(self) -> list[str]:
        """The ids of the events that were taken."""
        return [event["id"] for event in self.taken]


@asynccontextmanager
async def running_receiver() -> AsyncIterator[Receiver]:
    """Run a receiver that takes every event until a test changes its answer."""
    receiver = Receiver()
    async with receiving_posts(receiver.receive) as url:
        receiver.url = f"{url}/events"
        yield receiver


def subject_orders(events: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Return the positions of the first arrivals of events, by subject, in the order of their arrival."""
    orders: dict[str, list[int]] = {}
    seen: set[str] = set()
    for event in events:
        if event["id"] not in seen:
            seen.add(event["id"])
            orders.setdefault(event["subject"], []).append(int(event["sequence"]))
    return orders
