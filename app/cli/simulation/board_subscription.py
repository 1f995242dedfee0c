"""Receive the messages of a board subscription, and reconnect when the connection is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from gql import Client, gql
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import WebSocketException

from app.cli.terminal.errors import CommandError
from app.domain.boards.movement import Since
from app.domain.boards.periods import Period
from app.runtime import Runtime

WATCH = """
subscription Watch($category: String!, $period: Period!, $limit: Int!, $since: Since!) {
  leaderboardUpdates(category: $category, period: $period, limit: $limit) {
    kind epoch version asOf
    leaderboard {
      totalUsers source stale category { scoreFormat { kind digits unit } }
      entries { rank formattedScore movement(since: $since) user { id username } }
    }
    changes { user { id } oldRank newRank scoreDelta }
  }
}
"""

SINCE = {since.period: since for since in Since}
"""What the ranks on a board of a period are compared with; an all-time board is compared with yesterday."""

CONNECTION_ERRORS = (TransportError, WebSocketException, OSError, TimeoutError)
TEMPORARY_ERROR_CODES = ("SERVICE_UNAVAILABLE", "RATE_LIMITED")
"""Error codes after which the same subscription may succeed later."""

MIN_RETRY_DELAY = 0.5
MAX_RETRY_DELAY = 10.0


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The connection was lost; the next attempt follows after `retry_delay` seconds."""

    reason: str
    retry_delay: float


class BoardSubscription:
    """A subscription to one board of one server."""

    def __init__(self, url: str, category: str, period: Period, limit: int, runtime: Runtime) -> None:
        """Create a subscription; `url` is the URL of the server, without a path."""
        self._url = url
        since = SINCE.get(period, Since.PREVIOUS_DAY)
        self._variables = {"category": category, "period": period.value, "limit": limit, "since": since.value}
        self._random = runtime.random

    async def messages(self) -> AsyncIterator[dict[str, Any] | ConnectionLost]:
        """Yield the payload of every message, and each loss of the connection, without end.

        Raises:
            CommandError: The first connection fails, or the server refuses the subscription permanently.
        """
        delay, connected = MIN_RETRY_DELAY, False
        while True:
            reason = "the server ended the subscription"
            try:
                async with self._client() as session:
                    async for data in session.subscribe(gql(WATCH), variable_values=self._variables):
                        delay, connected = MIN_RETRY_DELAY, True
                        yield data["leaderboardUpdates"]
            except TransportQueryError as refusal:
                reason = _temporary_reason(refusal)
            except CONNECTION_ERRORS as error:
                reason = _first_line(error)
            if not connected:
                raise CommandError(
                    f"no server answers at {self._url} ({reason}): start one with `make run`, or set --url"
                )
            jittered = delay * (0.5 + self._random.random())
            yield ConnectionLost(reason, jittered)
            await asyncio.sleep(jittered)
            delay = min(2 * delay, MAX_RETRY_DELAY)

    def _client(self) -> Client:
        return Client(
            transport=WebsocketsTransport(
                url=f"ws{self._url.removeprefix('http')}/graphql",
                subprotocols=["graphql-transport-ws"],
                connect_timeout=5,
                ack_timeout=5,
                close_timeout=2,
                ping_interval=10,  # to detect a server that does not respond
                pong_timeout=5,
            ),
            fetch_schema_from_transport=False,
        )


def _temporary_reason(refusal: TransportQueryError) -> str:
    """Return the error code of a temporary refusal.

    Raises:
        CommandError: The refusal is permanent.
    """
    errors = refusal.errors or [{"message": str(refusal)}]
    code = (errors[0].get("extensions") or {}).get("code")
    if code in TEMPORARY_ERROR_CODES:
        return str(code)
    raise CommandError(f"the server refused the subscription: {errors[0].get('message')}") from refusal


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0] or type(error).__name__
