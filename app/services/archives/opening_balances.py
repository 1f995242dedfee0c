"""Opening balances: the board of another system becomes the beginning of a board here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.catalogue.catalogue import Category
from app.domain.errors import ServiceUnavailable
from app.domain.ids import uuid7
from app.domain.ledger.opening import Balance, opened, opened_at, opening_claim
from app.domain.ledger.posting import Posting, post
from app.models.statements.ledger.load_accounts import load
from app.models.statements.ledger.store_postings import ChainMoved, store
from app.models.statements.players.users import INSERT_USERS
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.milestones import Milestones
from app.stores.postgres import Database

BATCH = 1000
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class OpeningResult:
    """What came of the balances: `opened` are new, `known` were opened before or are of deleted users."""

    opened: int = 0
    known: int = 0

    def __add__(self, other: OpeningResult) -> OpeningResult:
        return OpeningResult(self.opened + other.opened, self.known + other.known)


class OpeningBalances:
    """Opens accounts, by transactions in the users' chains like all others.

    Guarantees: a balance counts once per user and category, however often it is imported; each thousand is one
    transaction, so an import that was interrupted is finished by repeating it. Players may play meanwhile. Milestones
    are awarded and not announced. Redis is for the caller to rebuild.
    """

    def __init__(
        self,
        database: Database,
        milestones: Milestones,
        catalogue: CatalogueService,
        clock: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._database = database
        self._milestones = milestones
        self._catalogue = catalogue
        self._clock = clock
        self._random_bytes = random_bytes

    async def __call__(
        self, category_id: str, balances: Iterable[Balance], reason: str, progress: Callable[[int], object]
    ) -> OpeningResult:
        """Open the accounts; `progress` is called with the number of balances of each batch.

        Raises CategoryNotFound, ServiceUnavailable, and what iterating `balances` raises; what was opened until then
        stays.
        """
        category = self._catalogue.current.category(category_id)
        started, total, line = self._clock(), OpeningResult(), 0
        for batch in _batches(balances):
            turns = [started + timedelta(microseconds=line + index) for index in range(len(batch))]
            total += await self._open(category, batch, turns, reason)
            line += len(batch)
            progress(len(batch))
        return total

    async def _open(
        self, category: Category, batch: Sequence[Balance], turns: Sequence[datetime], reason: str
    ) -> OpeningResult:
        for _ in range(ATTEMPTS):
            try:
                async with self._database.begin() as connection:
                    return await self._attempt(connection, category, batch, turns, reason)
            except (ChainMoved, IntegrityError):
                continue  # Somebody among them plays at this very moment.
        raise ServiceUnavailable

    async def _attempt(
        self,
        connection: AsyncConnection,
        category: Category,
        batch: Sequence[Balance],
        turns: Sequence[datetime],
        reason: str,
    ) -> OpeningResult:
        await connection.execute(
            INSERT_USERS,
            {
                "ids": [one.user_id for one in batch],
                "usernames": [one.username for one in batch],
                "avatars": [one.avatar_url for one in batch],
            },
        )
        claims = [opening_claim(category, balance, reason) for balance in batch]
        loaded = await load(connection, claims, self._clock())
        postings: list[Posting] = []
        for balance, claim, state, turn in zip(batch, claims, loaded, turns, strict=True):
            if state.account is None or state.request_used:
                continue
            at = opened_at(balance, state.account, turn, self._clock())
            postings.append(post(opened(claim, state.account, at), state.account, at, uuid7(at, self._random_bytes)))
        if postings:
            await store(connection, postings)
            await self._milestones.award_scores(connection, postings)
        return OpeningResult(len(postings), len(batch) - len(postings))


def _batches(balances: Iterable[Balance]) -> Iterator[list[Balance]]:
    """Up to a thousand balances of as many users: of one user there is at most one in a batch."""
    batch: dict[object, Balance] = {}
    for balance in balances:
        if len(batch) == BATCH or balance.user_id in batch:
            yield list(batch.values())
            batch = {}
        batch[balance.user_id] = balance
    if batch:
        yield list(batch.values())
