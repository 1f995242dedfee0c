"""Seeding: made-up players, a few for a demonstration or a million for a test of size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.catalogue.catalogue import DEFAULT_CATEGORY, Category
from app.domain.players.synthetic import Player, SyntheticPlayers
from app.domain.users import user_id_of
from app.models.advisory_locks import AdvisoryLock, lock_until_commit
from app.models.statements.archives.bulk_insert import has_users, store_players
from app.services.catalogue.cache import CatalogueService
from app.stores.postgres import Database

CHUNK = 10_000
"""How many players share a transaction: each is complete, so an interrupted seeding leaves nothing half done."""

DEMO_DAYS = 30
DEMO_ACTIONS = (4, 60)
DEMO_NAMES = (
    "ada", "alan", "barbara", "blaise", "carol", "claude", "dennis", "donald", "dorothy", "edsger", "ellen", "evelyn",
    "fei-fei", "frances", "grace", "hedy", "ivan", "jean", "joan", "john", "karen", "katherine", "ken", "lynn",
    "margaret", "mary", "niklaus", "radia", "robin", "rózsa", "shafi", "sophie", "tim", "tony", "vint", "yukihiro",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SeedingResult:
    """What a seeding added."""

    users: int = 0
    transactions: int = 0
    scores: int = 0

    def __add__(self, other: SeedingResult) -> SeedingResult:
        return SeedingResult(
            self.users + other.users, self.transactions + other.transactions, self.scores + other.scores
        )


class Seed:
    """Adds made-up players. Every invariant holds for them as for real ones; only the copies in Redis come later.

    Whoever seeds rebuilds the category afterwards.
    """

    def __init__(
        self, database: Database, catalogue: CatalogueService, clock: Callable[[], datetime], random: Random
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._clock = clock
        self._random = random

    async def seed(
        self, category_id: str, users: int, actions: int, days: int, progress: Callable[[int], object]
    ) -> SeedingResult:
        """Add `users` strangers who share `actions` completed actions of the last `days` days.

        `progress` is called with the number of users of each chunk. Raises CategoryNotFound, BadUserInput,
        ServiceUnavailable.
        """
        category = self._catalogue.current.category(category_id)
        total = SeedingResult()
        async for players in _chunks(self._population(category, days), users, actions):
            async with self._database.begin() as connection:
                total += await _store(connection, category, players)
            progress(len(players))
        return total

    async def seed_demo(self, issuer: str) -> SeedingResult:
        """Add a few dozen named players with a past of a month, if there are no users at all; atomically, once.

        They have the ids that access tokens of `issuer` for their names have. Raises ServiceUnavailable.
        """
        category = self._catalogue.current.category(DEFAULT_CATEGORY)
        async with self._database.begin() as connection:
            await lock_until_commit(connection, AdvisoryLock.SEEDING)
            if await has_users(connection):
                return SeedingResult()
            crowd = self._population(category, DEMO_DAYS)
            players = [
                crowd.player(user_id_of(issuer, name), name, self._random.randint(*DEMO_ACTIONS)) for name in DEMO_NAMES
            ]
            return await _store(connection, category, players)

    def _population(self, category: Category, days: int) -> SyntheticPlayers:
        return SyntheticPlayers(category, self._catalogue.current.actions.values(), self._clock(), days, self._random)


async def _store(connection: AsyncConnection, category: Category, players: Sequence[Player]) -> SeedingResult:
    scores = await store_players(connection, category, players)
    return SeedingResult(len(players), sum(len(player.transactions) for player in players), scores)


async def _chunks(synthetic_players: SyntheticPlayers, users: int, actions: int) -> AsyncIterator[Sequence[Player]]:
    """The players, a chunk at a time; while one is stored, the next is made up in another thread."""
    plan = [
        (last - first, actions * last // users - actions * first // users)
        for first, last in ((first, min(first + CHUNK, users)) for first in range(0, users, CHUNK))
    ]
    upcoming: asyncio.Task[list[Player]] | None = None
    try:
        for chunk in [*plan, None]:
            ready = upcoming and await upcoming
            upcoming = chunk and asyncio.create_task(asyncio.to_thread(synthetic_players.make, *chunk))
            if ready:
                yield ready
    finally:
        if upcoming is not None:
            await asyncio.wait([upcoming])
