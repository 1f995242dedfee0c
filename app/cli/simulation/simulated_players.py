"""Simulate players who use the public API, as games do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

import httpx2

from app.cli.simulation.play_stats import ACCEPTED, SKIPPED, PlayStats
from app.cli.terminal.errors import CommandError
from app.services.archives.seed import DEMO_NAMES
from app.services.archives.synthetic_players import ADJECTIVES, ANIMALS

MAX_CONCURRENT_ACTIONS = 100
"""When this many actions are running, the next one waits, so that a slow server is not overloaded."""
REQUEST_TIMEOUT = 15.0

ACTIONS_QUERY = """
query Actions($category: String!) {
  actions(category: $category) { actionType enabled repeatable dailyLimit minDuration cooldown }
}
"""
ISSUE_MUTATION = """
mutation Issue($input: IssueActionTokenInput!) {
  outcome: issueActionToken(input: $input) {
    ... on ActionTokenIssued { actionToken }
    ... on UserError { code }
  }
}
"""
SUBMIT_MUTATION = """
mutation Submit($input: SubmitScoreInput!) {
  outcome: submitScore(input: $input) {
    ... on ScoreAccepted { newScore }
    ... on UserError { code }
  }
}
"""


@dataclass(slots=True)
class SimulatedPlayer:
    """A simulated player, who starts no action before `paused_until` of the monotonic clock."""

    name: str
    token: str
    paused_until: float = 0.0


class RequestRefused(Exception):
    """The server refused a request; `retry_after` is in seconds, 0 if the server named no time."""

    def __init__(self, code: str, retry_after: float = 0.0) -> None:
        self.code = code
        self.retry_after = retry_after
        super().__init__(code)


def player_names(count: int) -> list[str]:
    """Return the first `count` names of a fixed list that starts with the demo players, who lead the board."""
    return list(islice(_generate_names(), count))


def _generate_names() -> Iterator[str]:
    yield from DEMO_NAMES
    number = 0
    while True:
        suffix = "" if number < len(ADJECTIVES) * len(ANIMALS) else f"-{number}"
        yield f"{ADJECTIVES[number % len(ADJECTIVES)]}-{ANIMALS[number // len(ADJECTIVES) % len(ANIMALS)]}{suffix}"
        number += 1


class SimulatedPlayers:
    """Simulated players of one category on one server."""

    def __init__(self, url: str, players: Sequence[SimulatedPlayer], category: str, stats: PlayStats) -> None:
        """Create the simulation; `url` is the URL of the server, without a path."""
        self._url = url
        self._players = list(players)
        self._category = category
        self._stats = stats
        self._random = Random()
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_ACTIONS)

    async def play(self, rate: float, seconds: float) -> None:
        """Start `rate` actions per second for `seconds`, and wait until all are completed.

        Raises:
            CommandError: No server answers, or the category has no suitable action.
        """
        limits = httpx2.Limits(max_connections=MAX_CONCURRENT_ACTIONS)
        async with httpx2.AsyncClient(base_url=self._url, timeout=REQUEST_TIMEOUT, limits=limits) as http:
            actions = await self._playable_actions(http)
            began = asyncio.get_running_loop().time()
            async with asyncio.TaskGroup() as tasks:
                for number in range(round(rate * seconds)):
                    await asyncio.sleep(began + number / rate - asyncio.get_running_loop().time())
                    player = self._choose_player()
                    if player is None:
                        self._stats.outcomes[SKIPPED] += 1
                        continue
                    await self._slots.acquire()
                    tasks.create_task(self._complete_action(http, player, self._random.choice(actions)))

    async def _playable_actions(self, http: httpx2.AsyncClient) -> list[str]:
        try:
            data = await self._execute(http, self._players[0], ACTIONS_QUERY, {"category": self._category})
        except RequestRefused as refusal:
            if refusal.code == "NETWORK_ERROR":
                raise CommandError(
                    f"no server answers at {self._url}: start one with `make run`, or set --url"
                ) from None
            raise CommandError(f"the server at {self._url} answered {refusal.code}") from None
        playable = [
            action["actionType"]
            for action in data["actions"]
            if action["enabled"] and action["repeatable"] and action["dailyLimit"] is None
            and not action["minDuration"] and not action["cooldown"]
        ]  # fmt: skip
        if not playable:
            raise CommandError(
                f"the category {self._category} has no enabled action without cooldown, minimum duration or daily limit"
            )
        return playable

    def _choose_player(self) -> SimulatedPlayer | None:
        """Return a random player who is not paused; None if nearly all are."""
        now = time.monotonic()
        for _ in range(20):
            player = self._random.choice(self._players)
            if player.paused_until <= now:
                return player
        return None

    async def _complete_action(self, http: httpx2.AsyncClient, player: SimulatedPlayer, action: str) -> None:
        try:
            began = time.perf_counter()
            issued = await self._mutate(http, player, ISSUE_MUTATION, {"actionType": action})
            issued_at = time.perf_counter()
            await self._mutate(http, player, SUBMIT_MUTATION, {"actionToken": issued["actionToken"]})
            self._stats.latencies["issue"].values.append(issued_at - began)
            self._stats.latencies["submit"].values.append(time.perf_counter() - issued_at)
            self._stats.outcomes[ACCEPTED] += 1
        except RequestRefused as refusal:
            player.paused_until = time.monotonic() + refusal.retry_after
            self._stats.outcomes[refusal.code] += 1
        finally:
            self._slots.release()

    async def _mutate(
        self, http: httpx2.AsyncClient, player: SimulatedPlayer, query: str, input_: dict[str, Any]
    ) -> dict[str, Any]:
        outcome: dict[str, Any] = (await self._execute(http, player, query, {"input": input_}))["outcome"]
        if "code" in outcome:
            raise RequestRefused(outcome["code"])
        return outcome

    async def _execute(
        self, http: httpx2.AsyncClient, player: SimulatedPlayer, query: str, variables: dict[str, Any]
    ) -> dict[str, Any]:
        """Execute an operation and return its data. Raises RequestRefused."""
        try:
            response = await http.post(
                "/graphql",
                json={"query": query, "variables": variables},
                headers={"authorization": f"Bearer {player.token}"},
            )
            body = response.json()
        except (httpx2.HTTPError, ValueError):
            raise RequestRefused("NETWORK_ERROR") from None
        errors = body.get("errors")
        if errors:
            extensions = errors[0].get("extensions") or {}
            raise RequestRefused(extensions.get("code", "UNKNOWN"), float(extensions.get("retryAfter", 0)))
        data: dict[str, Any] = body["data"]
        return data
