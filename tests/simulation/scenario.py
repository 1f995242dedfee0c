"""A scenario: what players, moderators and watchers do while stores and networks fail, and what must hold then.

Everything follows from a seed: what happens, when, and in which order.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from structlog.testing import capture_logs

from app.domain.boards.board import BoardUpdate, board_of, looks_different
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.catalogue.catalogue import Action, Category
from app.domain.errors import DomainError, ServiceUnavailable
from app.domain.ledger.posting import Actor, Kind, ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.rules.judge import PlayerPolicy, server_policy
from app.domain.users import Profile
from tests.simulation.event_loop import simulate
from tests.simulation.model_postgres import ModelPostgres
from tests.simulation.model_redis import ModelRedis, entries_of
from tests.simulation.process import Process

GLOBAL = Category("global", "Global", score_cap=1000, periods=frozenset({Period.ALL_TIME, Period.DAILY}))
PLAIN = Action("PLAIN", "Plain", "global", 50)
DAILY = Action("DAILY", "Daily", "global", 10, daily_limit=2)
ONCE = Action("ONCE", "Once", "global", 70, repeatable=False)
ACTIONS = (PLAIN, PLAIN, DAILY, ONCE)
POLICY = PlayerPolicy(None, is_verified=True)
USERS = [UUID(int=number) for number in range(1, 7)]
TROUBLED_SECONDS = 8.0
REST_SECONDS = 10.0
PATIENCE = 120.0
"""Simulated seconds in which every call of a client must end, and every watcher must show the board."""


@dataclass
class Watched:
    """What a watcher was shown."""

    name: str
    period: Period
    limit: int
    last: BoardUpdate | None = None
    highest: dict[str, int] = field(default_factory=dict)


@dataclass
class Outcome:
    """The trace of a simulation, and what was violated."""

    trace: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    transactions: int = 0


def run_scenario(seed: int, *, postgres_fails: bool = True, repairs: bool = True) -> Outcome:
    """Run the scenario of a seed.

    Args:
        seed: Decides everything.
        postgres_fails: Whether PostgreSQL takes part in the trouble.
        repairs: Whether a process repairs Redis periodically.
    """
    random = Random(seed)
    outcome = Outcome()
    try:
        with capture_logs():  # Tracebacks of the failures that are caused here would take most of the time.
            simulate(lambda: _Scenario(random, outcome, postgres_fails, repairs).run(), random)
    except Exception as error:
        outcome.violations.append(f"the simulation failed: {_causes(error)}")
    return outcome


def _causes(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(_causes(one) for one in error.exceptions)
    return repr(error)


class _Scenario:
    def __init__(self, random: Random, outcome: Outcome, postgres_fails: bool, repairs: bool) -> None:
        self._postgres_fails = postgres_fails
        self._repairs = repairs
        self._random = random
        self._outcome = outcome
        # Some scenarios pass midnight, when the board of the day is another one.
        self._begins_at = datetime(2026, 11, 20, 12, tzinfo=UTC)
        if random.random() < 0.25:
            self._begins_at = datetime(2026, 11, 21, tzinfo=UTC) - timedelta(seconds=random.uniform(1, 11))
        self._postgres = ModelPostgres()
        self._redis = ModelRedis(self._postgres)
        self._acknowledged: list[tuple[str, Receipt]] = []
        self._tokens = 0
        self._watchers: list[Watched] = []

    def _now(self) -> datetime:
        return self._begins_at + timedelta(seconds=asyncio.get_running_loop().time())

    def _log(self, text: str) -> None:
        self._outcome.trace.append(f"{asyncio.get_running_loop().time():8.3f} {text}")

    def _violation(self, text: str) -> None:
        self._outcome.violations.append(text)

    async def run(self) -> None:
        """Run everything, and check."""
        for number, user in enumerate(USERS, 1):
            self._postgres.tables.profiles[user] = Profile(user, f"player-{number}", None, self._begins_at)
        if self._random.random() < 0.8:
            self._redis.rebuild()
        processes = [
            Process(name, self._postgres, self._redis, self._random, self._now, repairs=self._repairs and name == "one")
            for name in ("one", "two")
        ]
        self._processes = processes
        async with processes[0], processes[1]:
            watching = [asyncio.create_task(self._watch(number)) for number in range(4)]
            async with asyncio.TaskGroup() as group:
                group.create_task(self._cause_trouble())
                for user in USERS:
                    group.create_task(self._play(user))
                group.create_task(self._record())
            for process in processes:
                await process.to_postgres.settled()
            await asyncio.sleep(REST_SECONDS)
            self._check_convergence()
            for task in watching:
                task.cancel()
            for result in await asyncio.gather(*watching, return_exceptions=True):
                if isinstance(result, Exception):
                    self._violation(f"a watcher failed: {result!r}")
            for process in processes:
                await process.ledger.drain()
        for process in processes:
            await process.to_postgres.settled()
            await process.to_redis.settled()
        await asyncio.sleep(1)
        if leaked := [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]:
            self._violation(f"tasks that nobody ended: {leaked}")
        self._check_ledger()
        self._outcome.transactions = len(self._postgres.tables.transactions)

    # --- Trouble

    async def _cause_trouble(self) -> None:
        """Fail by chance for a while, then no more."""
        random = self._random
        networks = [one.to_redis for one in self._processes]
        if self._postgres_fails:
            networks += [one.to_postgres for one in self._processes]
        backends = [one.backend for one in self._processes]
        for network in networks:
            network.trouble = random.choice((0.0, 0.05, 0.2, 0.5))
        while (now := asyncio.get_running_loop().time()) < TROUBLED_SECONDS:
            await asyncio.sleep(min(random.uniform(0.1, 2.0), TROUBLED_SECONDS - now))
            match random.choice(("cut", "join", "join", "restart", "remember", "forget", "deaf", "lose")):
                case "cut":
                    random.choice(networks).up = False
                case "join":
                    random.choice(networks).up = True
                case "restart":
                    self._redis.restart()
                case "remember":
                    self._redis.remember()
                case "forget":
                    self._redis.old.clear()
                case "deaf":
                    random.choice(backends).deaf = True
                case "lose":
                    random.choice(backends).lose()
        for network in networks:
            network.up, network.trouble = True, 0.0
        for backend in backends:
            if backend.deaf:
                backend.lose()
        self._redis.old.clear()
        self._log("the trouble is over")

    # --- Clients

    async def _play(self, user: UUID) -> None:
        random = self._random
        for _ in range(random.randint(2, 7)):
            await asyncio.sleep(random.choice((0.0, 0.01, 0.3, 2.0)))
            self._tokens += 1
            token = self._tokens.to_bytes(4, "big")
            self._postgres.tables.owners[token] = user
            action = random.choice(ACTIONS)
            actor = Actor(user, "player")
            request = ScoreRequest(user, GLOBAL, Kind.ACTION, action.points, actor, action, token_hash=token)
            await self._post(f"token {self._tokens}", request, POLICY)

    async def _record(self) -> None:
        random = self._random
        for number in range(random.randint(0, 6)):
            await asyncio.sleep(random.choice((0.0, 0.1, 1.0)))
            request = ScoreRequest(
                random.choice(USERS), GLOBAL, Kind.SERVER_ACTION, PLAIN.points, Actor(None, "server"), PLAIN,
                request_key=f"key {number}", request_hash=b"content",
            )  # fmt: skip
            await self._post(f"key {number}", request, server_policy)

    async def _post(self, name: str, request: ScoreRequest, policy: Callable[..., Any]) -> None:
        """Post a request, at times to both processes at once, at times without waiting, until the outcome is known."""
        random = self._random
        while True:
            tries = random.choice((1, 1, 1, 2, 3))
            outcomes = await asyncio.gather(*(self._try(name, request, policy) for _ in range(tries)))
            if any(known for known in outcomes):
                return
            await asyncio.sleep(random.choice((0.05, 0.5, 1.0)))

    async def _try(self, name: str, request: ScoreRequest, policy: Callable[..., Any]) -> bool:
        """Return whether the outcome is known."""
        waiting = self._random.choice(self._processes).ledger.post(request, policy)
        try:
            if self._random.random() < 0.1:
                async with asyncio.timeout(self._random.choice((0.0, 0.01, 0.1))):
                    receipt = await waiting
            else:
                try:
                    async with asyncio.timeout(PATIENCE):
                        receipt = await waiting
                except TimeoutError:
                    self._violation(f"{name} has no outcome after {PATIENCE:g} s")
                    return True
        except TimeoutError:
            self._log(f"{name} was given up")
            return False
        except ServiceUnavailable:
            self._log(f"{name} unavailable")
            return False
        except DomainError as refusal:
            receipt = getattr(refusal, "receipt", None)
            if receipt is None:
                self._log(f"{name} refused: {refusal.code}")
                return True
        assert isinstance(receipt, Receipt)
        self._log(f"{name} paid {receipt.previous_score} -> {receipt.new_score}")
        self._acknowledged.append((name, receipt))
        return True

    async def _watch(self, number: int) -> None:
        random = self._random
        watched = Watched(f"watcher {number}", random.choice((Period.ALL_TIME, Period.DAILY)), random.choice((3, 10)))
        self._watchers.append(watched)
        await asyncio.sleep(random.choice((0.0, 0.5, 5.0)))
        hub = self._processes[number % 2].hub
        while True:
            updates = hub.watch("global", watched.period, Slice(0, watched.limit))
            try:
                await self._follow(watched, updates)
            finally:
                await updates.aclose()
            watched.last = None

    async def _follow(self, watched: Watched, updates: AsyncGenerator[BoardUpdate, None]) -> None:
        random = self._random
        async for update in updates:
            version = update.page.version
            key = f"{update.page.board.key} {version.epoch}"
            if version.number < watched.highest.get(key, version.number):
                self._violation(
                    f"{watched.name} was shown version {version.number} of {key}, after {watched.highest[key]}"
                )
            watched.highest[key] = max(version.number, watched.highest.get(key, 0))
            watched.last = update
            in_trouble = asyncio.get_running_loop().time() < TROUBLED_SECONDS
            await asyncio.sleep(random.choice((0.0, 0.0, 0.2, 1.0) if in_trouble else (0.0,)))
            if in_trouble and random.random() < 0.05:
                return

    # --- Checks

    def _check_convergence(self) -> None:
        tables = self._postgres.tables
        for watched in self._watchers:
            board = board_of("global", watched.period, self._now())
            truth = entries_of(tables.rows[board], tables.profiles)[: watched.limit]
            page = watched.last.page if watched.last else None
            if page is None or looks_different(page, replace(page, board=board, entries=truth, stale=False)):
                shown = page and [(entry.user.username, entry.score) for entry in page.entries]
                wanted = [(entry.user.username, entry.score) for entry in truth]
                self._violation(
                    f"{watched.name} shows {shown} of {page and page.board.key} ({page and page.version}) instead of "
                    f"{wanted} of {board.key}"
                )
        for board, copy in self._redis.copies.items():
            if copy.rows != tables.rows[board]:
                self._violation(f"Redis has {copy.rows} on {board.key} instead of {tables.rows[board]}")

    def _check_ledger(self) -> None:
        tables = self._postgres.tables
        by_id = {one.id: one for one in tables.transactions}
        for name, receipt in self._acknowledged:
            entry = by_id.get(receipt.transaction_id)
            if entry is None:
                self._violation(f"{name} was acknowledged, and is not committed")
            elif (entry.score - entry.delta, entry.score) != (receipt.previous_score, receipt.new_score):
                self._violation(f"{name} was told {receipt.previous_score} -> {receipt.new_score}, and got {entry}")
        told: dict[str, set[UUID]] = defaultdict(set)
        for name, receipt in self._acknowledged:
            told[name].add(receipt.transaction_id)
        for name, ids in told.items():
            if len(ids) > 1:
                self._violation(f"{name} has {len(ids)} receipts")
        paid = Counter(one.token_hash or one.request_key for one in tables.transactions)
        for payment, times in paid.items():
            if times > 1:
                self._violation(f"{payment!r} was paid {times} times")
        for user in USERS:
            self._check_chain(user)

    def _check_chain(self, user: UUID) -> None:
        tables = self._postgres.tables
        score, previous = 0, b""
        chain = tables.of(user)
        for number, entry in enumerate(chain, 1):
            score += entry.delta
            if (entry.seq, entry.score, entry.previous_hash) != (number, score, previous):
                self._violation(f"transaction {number} of {user} does not continue the one before: {entry}")
            previous = entry.hash
        row = tables.rows[board_of("global", Period.ALL_TIME, self._now())].get(user)
        if (row.score if row else 0) != score:
            self._violation(f"the score of {user} is {row}, and the deltas add up to {score}")
        if sum(entry.action_id == ONCE.id for entry in chain) > 1:
            self._violation(f"{user} was paid twice for an action that pays once")
        days = Counter(entry.created_at.date() for entry in chain if entry.action_id == DAILY.id)
        if any(times > 2 for times in days.values()):
            self._violation(f"{user} was paid beyond the limit of a day: {days}")
