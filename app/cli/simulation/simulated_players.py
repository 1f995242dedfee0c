"""Simulated players: they play through the public API, as games do."""

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

CONCURRENCY = 100
"""Actions under way at a time: beyond, a slow server is waited for instead of being buried."""
TIMEOUT = 15.0

ACTIONS = """
query Actions($category: String!) {
  actions(category: $category) { id enabled repeatable dailyLimit minDuration cooldown }
}
"""
ISSUE = """
mutation Issue($input: IssueActionTokenInput!) {
  outcome: issueActionToken(input: $input) {
    ... on ActionTokenIssued { actionToken }
    ... on UserError { code }
  }
}
"""
SUBMIT = """
mutation Submit($input: SubmitScoreInput!) {
  outcome: submitScore(input: $input) {
    ... on ScoreAccepted { newScore }
    ... on UserError { code }
  }
}
"""


@dataclass(slots=True)
class Player:
    """A simulated player. `waits_until` is on the monotonic clock."""

    name: str
    token: str
    waits_until: float = 0.0


class Refused(Exception):
    """The server did not do it. `retry_after` is in seconds, 0 where it did not say."""

    def __init__(self, code: str, retry_after: float = 0.0) -> None:
        self.code = code
        self.retry_after = retry_after
        super().__init__(code)


def names(count: int) -> list[str]:
    """`count` names, always the same ones: those of the demo players first, so that the head of the board moves."""
    return list(islice(_all_names(), count))


def _all_names() -> Iterator[str]:
    yield from DEMO_NAMES
    number = 0
    while True:
        suffix = "" if number < len(ADJECTIVES) * len(ANIMALS) else f"-{number}"
        yield f"{ADJECTIVES[number % len(ADJECTIVES)]}-{ANIMALS[number // len(ADJECTIVES) % len(ANIMALS)]}{suffix}"
        number += 1


class SimulatedPlayers:
    """Players of one category on one server."""

    def __init__(self, url: str, players: Sequence[Player], category: str, stats: PlayStats) -> None:
        """`url` is the address of the server, without a path."""
        self._url = url
        self._players = list(players)
        self._category = category
        self._tally = stats
        self._random = Random()
        self._slots = asyncio.Semaphore(CONCURRENCY)

    async def play(self, rate: float, seconds: float) -> None:
        """Begin `rate` actions a second for so long, and wait for the last. Raises CommandError without a server."""
        limits = httpx2.Limits(max_connections=CONCURRENCY)
        async with httpx2.AsyncClient(base_url=self._url, timeout=TIMEOUT, limits=limits) as http:
            actions = await self._actions(http)
            began = asyncio.get_running_loop().time()
            async with asyncio.TaskGroup() as turns:
                for number in range(round(rate * seconds)):
                    await asyncio.sleep(began + number / rate - asyncio.get_running_loop().time())
                    player = self._somebody()
                    if player is None:
                        self._tally.outcomes[SKIPPED] += 1
                        continue
                    await self._slots.acquire()
                    turns.create_task(self._turn(http, player, self._random.choice(actions)))

    async def _actions(self, http: httpx2.AsyncClient) -> list[str]:
        try:
            found = await self._ask(http, self._players[0], ACTIONS, {"category": self._category})
        except Refused as refusal:
            if refusal.code == "NETWORK_ERROR":
                raise CommandError(
                    f"no server answers at {self._url}: start one with `make run`, or name it with --url"
                ) from None
            raise CommandError(f"the server at {self._url} answered {refusal.code}") from None
        fit = [
            action["id"]
            for action in found["actions"]
            if action["enabled"] and action["repeatable"] and action["dailyLimit"] is None
            and not action["minDuration"] and not action["cooldown"]
        ]  # fmt: skip
        if not fit:
            raise CommandError(
                f"the category {self._category} has no enabled action without cooldown, minimum duration or daily limit"
            )
        return fit

    def _somebody(self) -> Player | None:
        """A player who does not have to wait; None if nearly all have to."""
        now = time.monotonic()
        for _ in range(20):
            player = self._random.choice(self._players)
            if player.waits_until <= now:
                return player
        return None

    async def _turn(self, http: httpx2.AsyncClient, player: Player, action: str) -> None:
        try:
            began = time.perf_counter()
            issued = await self._do(http, player, ISSUE, {"actionType": action})
            between = time.perf_counter()
            await self._do(http, player, SUBMIT, {"actionToken": issued["actionToken"]})
            self._tally.latencies["issue"].values.append(between - began)
            self._tally.latencies["submit"].values.append(time.perf_counter() - between)
            self._tally.outcomes[ACCEPTED] += 1
        except Refused as refusal:
            player.waits_until = time.monotonic() + refusal.retry_after
            self._tally.outcomes[refusal.code] += 1
        finally:
            self._slots.release()

    async def _do(self, http: httpx2.AsyncClient, player: Player, query: str, input_: dict[str, Any]) -> dict[str, Any]:
        outcome: dict[str, Any] = (await self._ask(http, player, query, {"input": input_}))["outcome"]
        if "code" in outcome:
            raise Refused(outcome["code"])
        return outcome

    async def _ask(
        self, http: httpx2.AsyncClient, player: Player, query: str, variables: dict[str, Any]
    ) -> dict[str, Any]:
        """The data of an operation. Raises Refused."""
        try:
            response = await http.post(
                "/graphql",
                json={"query": query, "variables": variables},
                headers={"authorization": f"Bearer {player.token}"},
            )
            body = response.json()
        except (httpx2.HTTPError, ValueError):
            raise Refused("NETWORK_ERROR") from None
        errors = body.get("errors")
        if errors:
            facts = errors[0].get("extensions") or {}
            raise Refused(facts.get("code", "UNKNOWN"), float(facts.get("retryAfter", 0)))
        data: dict[str, Any] = body["data"]
        return data
