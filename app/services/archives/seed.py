"""Seeding with synthetic players: a few for a demonstration, or a million for a load test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.catalogue.catalogue import DEFAULT_CATEGORY, Category
from app.domain.users import SubjectIds
from app.models.advisory_locks import AdvisoryLock, lock_until_commit
from app.models.statements.archives.bulk_insert import has_users, insert_users
from app.models.statements.boards.past_boards import discard_checkpoints_from
from app.models.statements.ledger.partitions import Month
from app.runtime import Runtime
from app.services.archives.synthetic_players import SyntheticPlayer, SyntheticPlayers
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.partitions import Partitions
from app.stores.postgres import Database

CHUNK_SIZE = 10_000
"""Players per database transaction. Each chunk is complete, so an interrupted seeding leaves consistent data."""

DEMO_DAYS = 30
"""Days of history of the demonstration players."""

DEMO_ACTIONS = (4, 60)
"""Minimum and maximum number of actions of a demonstration player."""

DEMO_NAMES = (
    "ada", "alan", "barbara", "blaise", "carol", "claude", "dennis", "donald", "dorothy", "edsger", "ellen", "evelyn",
    "fei-fei", "frances", "grace", "hedy", "ivan", "jean", "joan", "john", "karen", "katherine", "ken", "lynn",
    "margaret", "mary", "niklaus", "radia", "robin", "rózsa", "shafi", "sophie", "tim", "tony", "vint", "yukihiro",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SeedingResult:
    """The number of rows that were added."""

    users: int = 0
    transactions: int = 0
    scores: int = 0

    def __add__(self, other: SeedingResult) -> SeedingResult:
        return SeedingResult(
            self.users + other.users, self.transactions + other.transactions, self.scores + other.scores
        )


class Seed:
    """Adds synthetic players, for whom every invariant holds as for real ones.

    The caller must rebuild the board index in Redis afterwards.
    """

    def __init__(
        self,
        database: Database,
        catalogue: CatalogueService,
        runtime: Runtime,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._partitions = Partitions(database, runtime)
        self._runtime = runtime

    async def seed(
        self, category_id: str, users: int, actions: int, days: int, progress: Callable[[int], object]
    ) -> SeedingResult:
        """Add players with a history.

        Args:
            category_id: The category they play in.
            users: The number of players.
            actions: The number of completed actions of all players together.
            days: The number of days, up to today, in which the actions were completed.
            progress: Called with the number of players of each chunk.

        Raises:
            CategoryNotFound: There is no such category.
            BadUserInput: The category does not add scores up, or has no repeatable action.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        category = self._catalogue.current.category(category_id)
        await self._create_partitions(days)
        total = SeedingResult()
        async for players in _chunks(self._synthetic_players(category, days), users, actions):
            async with self._database.begin() as connection:
                total += await _store(connection, category, players)
            progress(len(players))
        return total

    async def seed_demo(self, issuer: str) -> SeedingResult:
        """Add a few dozen players with a history of a month, atomically, if there are no users.

        Their ids are those of access tokens of `issuer` with their names as subject.

        Raises:
            ServiceUnavailable: PostgreSQL does not answer.
        """
        category = self._catalogue.current.category(DEFAULT_CATEGORY)
        await self._create_partitions(DEMO_DAYS)
        async with self._database.begin() as connection:
            await lock_until_commit(connection, AdvisoryLock.SEEDING)
            if await has_users(connection):
                return SeedingResult()
            synthetic = self._synthetic_players(category, DEMO_DAYS)
            players = [
                synthetic.make_player(
                    SubjectIds(issuer).user_id(name), name, self._runtime.random.randint(*DEMO_ACTIONS)
                )
                for name in DEMO_NAMES
            ]
            return await _store(connection, category, players)

    async def _create_partitions(self, days: int) -> None:
        now = self._runtime.clock()
        months = {Month.of(now - timedelta(days=ago)) for ago in range(days + 1)}
        await self._partitions.ensure(months)

    def _synthetic_players(self, category: Category, days: int) -> SyntheticPlayers:
        return SyntheticPlayers(category, self._catalogue.current.actions.values(), days, self._runtime)


async def _store(connection: AsyncConnection, category: Category, players: Sequence[SyntheticPlayer]) -> SeedingResult:
    users = [(player.profile, player.transactions) for player in players]
    scores = await insert_users(connection, category, users)
    times = [transaction.created_at for player in players for transaction in player.transactions]
    if times:
        await discard_checkpoints_from(connection, category.id, min(times))
    return SeedingResult(len(players), sum(len(player.transactions) for player in players), scores)


async def _chunks(
    synthetic_players: SyntheticPlayers, users: int, actions: int
) -> AsyncIterator[Sequence[SyntheticPlayer]]:
    """Yield the players in chunks; while one is stored, the next is made in another thread."""
    plan = [
        (last - first, actions * last // users - actions * first // users)
        for first, last in ((first, min(first + CHUNK_SIZE, users)) for first in range(0, users, CHUNK_SIZE))
    ]
    upcoming: asyncio.Task[list[SyntheticPlayer]] | None = None
    try:
        for chunk in [*plan, None]:
            ready = upcoming and await upcoming
            upcoming = chunk and asyncio.create_task(asyncio.to_thread(synthetic_players.make_players, *chunk))
            if ready:
                yield ready
    finally:
        if upcoming is not None:
            await asyncio.wait([upcoming])
