"""Simulate the back end of a game, which reports the results of its players."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple
from uuid import uuid4

import httpx2

from app.cli.simulation.graphql_client import RequestRefused, execute
from app.cli.simulation.play_stats import PlayStats
from app.domain.rules.stated_values import MAX_REPORTS
from app.stores.batching import Batcher

PAUSE_SECONDS = 0.6
"""Seconds between two requests, so that a back end stays within its rate limit."""

RECORD_MUTATION = """
mutation Record($inputs: [RecordActionInput!]!) {
  outcomes: recordActions(inputs: $inputs) {
    ... on ScoreAccepted { newScore }
    ... on UserError { code }
  }
}
"""


class StatedAction(NamedTuple):
    """An action whose value the game states."""

    id: str
    min_value: int
    max_value: int
    has_metadata: bool


class GameServer:
    """Reports results with made-up values: those that arrive during a request share the next one."""

    def __init__(self, http: httpx2.AsyncClient, token: str, stats: PlayStats) -> None:
        """`token`: an access token with the role `server`."""
        self._http = http
        self._token = token
        self._stats = stats
        self._random = Random()
        self._queue: Batcher[dict[str, Any], dict[str, Any]] = Batcher(
            self._report, max_batch_size=MAX_REPORTS, max_concurrent=1, key=None
        )

    async def record(self, player: str, action: StatedAction) -> None:
        """Report a result of the player of this name. Raises RequestRefused."""
        report: dict[str, Any] = {
            "user": {"subject": player},
            "username": player,
            "actionType": action.id,
            # Results around the middle are the most frequent ones, as among people.
            "value": round(self._random.triangular(action.min_value, action.max_value)),
            "idempotencyKey": uuid4().hex,
        }
        if action.has_metadata:
            report["metadata"] = {"replay": f"https://replays.example/{report['idempotencyKey']}"}
        outcome = await self._queue.submit(report)
        if "code" in outcome:
            raise RequestRefused(outcome["code"])

    async def _report(self, reports: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any] | Exception]:
        began = time.perf_counter()
        try:
            data, failed = await execute(self._http, self._token, RECORD_MUTATION, {"inputs": list(reports)})
        except RequestRefused as refusal:
            return [refusal] * len(reports)
        self._stats.latencies["record"].values.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE_SECONDS)
        return [failed.get(index) or outcome for index, outcome in enumerate(data["outcomes"])]
