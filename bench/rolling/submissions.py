"""A steady stream of submissions whose clients do not try again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from bench.workloads.documents import ISSUE, SUBMIT
from bench.workloads.players import Player

ACTION = "COMPLETE_LEVEL"


@dataclass
class Outcomes:
    """What became of submissions: the seconds of those that were accepted, and what went wrong with the others."""

    seconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)


class Submissions:
    """Players who complete an action one after the other, through the proxy."""

    def __init__(self, port: int, players: Sequence[Player], per_second: float) -> None:
        self.outcomes = Outcomes()
        self._address = f"http://127.0.0.1:{port}/graphql"
        self._players = players
        self._per_second = per_second
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Submit until `stop`, and wait for the answers."""
        began = time.monotonic()
        count = 0
        async with httpx2.AsyncClient(timeout=30, limits=httpx2.Limits(max_keepalive_connections=20)) as http:
            while not stop.is_set():
                task = asyncio.create_task(self._submit(http, self._players[count % len(self._players)]))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
                count += 1
                await asyncio.sleep(max(0.0, began + count / self._per_second - time.monotonic()))
            await asyncio.gather(*self._running)

    async def _submit(self, http: httpx2.AsyncClient, player: Player) -> None:
        began = time.monotonic()
        try:
            issued = await self._ask(http, player, ISSUE, {"input": {"actionType": ACTION}})
            token = issued["issueActionToken"]["actionToken"]
            outcome = await self._ask(http, player, SUBMIT, {"input": {"actionToken": token}})
            kind = outcome["submitScore"]["__typename"]
        except httpx2.HTTPError as error:
            kind = type(error).__name__
        except _SubmissionFailure as error:
            kind = str(error)
        if kind == "ScoreAccepted":
            self.outcomes.seconds.append(time.monotonic() - began)
        else:
            self.outcomes.failures[kind] += 1

    async def _ask(self, http: httpx2.AsyncClient, player: Player, query: str, variables: dict[str, Any]) -> Any:
        headers = {"authorization": f"Bearer {player.access_token}", "accept": "application/graphql-response+json"}
        answer = await http.post(self._address, json={"query": query, "variables": variables}, headers=headers)
        if answer.status_code != 200:
            raise _SubmissionFailure(f"HTTP {answer.status_code}")
        body = answer.json()
        if "errors" in body:
            raise _SubmissionFailure(body["errors"][0]["extensions"]["code"])
        return body["data"]


class _SubmissionFailure(Exception):
    """A request was answered with an error. The message is its code."""
