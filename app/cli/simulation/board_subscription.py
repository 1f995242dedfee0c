"""The messages of a board subscription, from a server that may come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random
from typing import Any

from gql import Client, gql
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import WebSocketException

from app.cli.terminal.errors import CommandError
from app.domain.boards.periods import Period

WATCH = """
subscription Watch($category: String!, $period: Period!, $limit: Int!) {
  leaderboardUpdates(category: $category, period: $period, limit: $limit) {
    kind epoch version asOf
    leaderboard { totalUsers source stale entries { rank score user { id username } } }
    changes { user { id } oldRank newRank scoreDelta }
  }
}
"""

OUTAGES = (TransportError, WebSocketException, OSError, TimeoutError)
PASSING = ("SERVICE_UNAVAILABLE", "RATE_LIMITED")
"""Codes of refusals after which the same subscription may succeed."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone; the next attempt comes after `pause` seconds."""

    reason: str
    pause: float


class BoardSubscription:
    """One board of one server."""

    def __init__(self, url: str, category: str, period: Period, limit: int, random: Random) -> None:
        """`url` is the address of the server, without a path."""
        self._url = url
        self._variables = {"category": category, "period": period.value, "limit": limit}
        self._random = random

    async def messages(self) -> AsyncIterator[dict[str, Any] | Lost]:
        """The payload of every message, and each loss of the connection; never ends.

        Raises CommandError when there is no server to begin with, or when it refuses the subscription for good.
        """
        pause, connected = FIRST_PAUSE, False
        while True:
            reason = "the server ended the subscription"
            try:
                async with self._client() as session:
                    async for data in session.subscribe(gql(WATCH), variable_values=self._variables):
                        pause, connected = FIRST_PAUSE, True
                        yield data["leaderboardUpdates"]
            except TransportQueryError as refusal:
                reason = _passing_reason(refusal)
            except OUTAGES as error:
                reason = _first_line(error)
            if not connected:
                raise CommandError(
                    f"no server answers at {self._url} ({reason}): start one with `make run`, or name --url"
                )
            wait = pause * (0.5 + self._random.random())
            yield Lost(reason, wait)
            await asyncio.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _client(self) -> Client:
        return Client(
            transport=WebsocketsTransport(
                url=f"ws{self._url.removeprefix('http')}/graphql",
                subprotocols=["graphql-transport-ws"],
                connect_timeout=5,
                ack_timeout=5,
                close_timeout=2,
                ping_interval=10,  # a server that froze is noticed, too
                pong_timeout=5,
            ),
            fetch_schema_from_transport=False,
        )


def _passing_reason(refusal: TransportQueryError) -> str:
    """Why a subscription was refused for now. Raises CommandError where it is for good."""
    errors = refusal.errors or [{"message": str(refusal)}]
    code = (errors[0].get("extensions") or {}).get("code")
    if code in PASSING:
        return str(code)
    raise CommandError(f"the server refused the subscription: {errors[0].get('message')}") from refusal


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0] or type(error).__name__
