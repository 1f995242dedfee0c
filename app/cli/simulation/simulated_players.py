"""Simulate players who use the public API, as games do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, NamedTuple

import httpx2

from app.cli.simulation.game_server import GameServer, StatedAction
from app.cli.simulation.graphql_client import RequestRefused, execute
from app.cli.simulation.play_stats import ACCEPTED, SKIPPED, PlayStats
from app.cli.terminal.errors import CommandError
from app.services.archives.seed import DEMO_NAMES
from app.services.archives.synthetic_players import ADJECTIVES, ANIMALS

MAX_CONCURRENT_ACTIONS = 100
"""When this many actions are running, the next one waits, so that a slow server is not overloaded."""
REQUEST_TIMEOUT = 15.0

ACTIONS_QUERY = """
query Actions($category: String!) {
  actions(category: $category) {
    actionType enabled repeatable dailyLimit minDuration cooldown kind points minValue maxValue
    difficulties { name }
    category { entryMetadata }
  }
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


class FixedAction(NamedTuple):
    """An action with points of the catalogue, and the difficulties that can be chosen (None: none)."""

    id: str
    difficulties: Sequence[str | None]


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

    def __init__(
        self, url: str, players: Sequence[SimulatedPlayer], server_token: str, category: str, stats: PlayStats
    ) -> None:
        """Create the simulation.

        Args:
            url: The URL of the server, without a path.
            players: The players.
            server_token: An access token with the role `server`, for actions whose value the game states.
            category: The id of the category to play in.
            stats: Collects the outcomes.
        """
        self._url = url
        self._server_token = server_token
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
            game_server = GameServer(http, self._server_token, self._stats)
            began = asyncio.get_running_loop().time()
            async with asyncio.TaskGroup() as tasks:
                for number in range(round(rate * seconds)):
                    await asyncio.sleep(began + number / rate - asyncio.get_running_loop().time())
                    player = self._choose_player()
                    if player is None:
                        self._stats.outcomes[SKIPPED] += 1
                        continue
                    await self._slots.acquire()
                    tasks.create_task(self._play_action(http, game_server, player, self._random.choice(actions)))

    async def _playable_actions(self, http: httpx2.AsyncClient) -> list[FixedAction | StatedAction]:
        try:
            data, _ = await execute(http, self._players[0].token, ACTIONS_QUERY, {"category": self._category})
        except RequestRefused as refusal:
            if refusal.code == "NETWORK_ERROR":
                raise CommandError(
                    f"no server answers at {self._url}: start one with `make run`, or set --url"
                ) from None
            raise CommandError(f"the server at {self._url} answered {refusal.code}") from None
        playable = [
            _action(action)
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

    async def _play_action(
        self,
        http: httpx2.AsyncClient,
        game_server: GameServer,
        player: SimulatedPlayer,
        action: FixedAction | StatedAction,
    ) -> None:
        try:
            if isinstance(action, StatedAction):
                await game_server.record(player.name, action)
            else:
                await self._complete_action(http, player, action)
            self._stats.outcomes[ACCEPTED] += 1
        except RequestRefused as refusal:
            player.paused_until = time.monotonic() + refusal.retry_after
            self._stats.outcomes[refusal.code] += 1
        finally:
            self._slots.release()

    async def _complete_action(self, http: httpx2.AsyncClient, player: SimulatedPlayer, action: FixedAction) -> None:
        began = time.perf_counter()
        start = {"actionType": action.id, "difficulty": self._random.choice(action.difficulties)}
        issued = await self._mutate(http, player, ISSUE_MUTATION, start)
        issued_at = time.perf_counter()
        await self._mutate(http, player, SUBMIT_MUTATION, {"actionToken": issued["actionToken"]})
        self._stats.latencies["issue"].values.append(issued_at - began)
        self._stats.latencies["submit"].values.append(time.perf_counter() - issued_at)

    async def _mutate(
        self, http: httpx2.AsyncClient, player: SimulatedPlayer, query: str, input_: dict[str, Any]
    ) -> dict[str, Any]:
        data, _ = await execute(http, player.token, query, {"input": input_})
        outcome: dict[str, Any] = data["outcome"]
        if "code" in outcome:
            raise RequestRefused(outcome["code"])
        return outcome


def _action(content: dict[str, Any]) -> FixedAction | StatedAction:
    """Return an action of the catalogue."""
    if content["kind"] == "STATED":
        values = content["minValue"], content["maxValue"]
        return StatedAction(content["actionType"], *values, content["category"]["entryMetadata"])
    difficulties: list[str | None] = [one["name"] for one in content["difficulties"]]
    if content["points"] is not None:
        difficulties.append(None)
    return FixedAction(content["actionType"], difficulties)
