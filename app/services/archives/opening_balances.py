"""Opening balances: scores from another system become the first transactions of accounts here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.catalogue.catalogue import Category
from app.domain.errors import ServiceUnavailable
from app.domain.ids import uuid7
from app.domain.ledger.commitments import SALT_BYTES
from app.domain.ledger.opening import Balance, opening_request, reached_at, with_opening
from app.domain.ledger.posting import Posting, post
from app.domain.players.names import skeleton
from app.models.statements.boards.past_boards import discard_checkpoints_from
from app.models.statements.ledger.load_accounts import load
from app.models.statements.ledger.store_postings import ChainMoved, store
from app.models.statements.players.users import INSERT_USERS
from app.runtime import Runtime
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.milestones import Milestones
from app.services.ledger.partitions import Partitions
from app.stores.postgres import Database

BATCH_SIZE = 1000
"""Balances per database transaction."""

MAX_ATTEMPTS = 5
"""Attempts to store a batch while users in it are playing."""


@dataclass(frozen=True, slots=True)
class OpeningResult:
    """How many balances were stored (`opened`), and how many were stored before or are of deleted users (`known`)."""

    opened: int = 0
    known: int = 0

    def __add__(self, other: OpeningResult) -> OpeningResult:
        return OpeningResult(self.opened + other.opened, self.known + other.known)


class OpeningBalances:
    """Stores opening balances as ordinary transactions in the users' chains.

    Guarantees: a balance is stored once per user and category, even if it is imported again. Each thousand balances are
    one database transaction, so an interrupted import is completed by repeating it. Users may play meanwhile.
    Milestones are awarded without a notice. The caller must rebuild the board index in Redis afterwards.
    """

    def __init__(
        self,
        database: Database,
        milestones: Milestones,
        catalogue: CatalogueService,
        partitions: Partitions,
        runtime: Runtime,
    ) -> None:
        self._database = database
        self._milestones = milestones
        self._catalogue = catalogue
        self._partitions = partitions
        self._clock = runtime.clock
        self._random_bytes = runtime.random_bytes

    async def __call__(
        self, category_id: str, balances: Iterable[Balance], reason: str, progress: Callable[[int], object]
    ) -> OpeningResult:
        """Store balances. If an error is raised, the batches that were stored before it stay.

        Args:
            category_id: The category of the scores.
            balances: The balances.
            reason: The reason that the transactions give.
            progress: Called with the number of balances of each batch.

        Raises:
            CategoryNotFound: There is no such category.
            ServiceUnavailable: PostgreSQL does not answer.
            Exception: Any exception raised by iterating `balances`.
        """
        category = self._catalogue.current.category(category_id)
        started, total, position = self._clock(), OpeningResult(), 0
        for batch in _batches(balances):
            default_times = [started + timedelta(microseconds=position + index) for index in range(len(batch))]
            total += await self._open(category, batch, default_times, reason)
            position += len(batch)
            progress(len(batch))
        await self._partitions.ensure()  # Balances may have been reached in any month.
        return total

    async def _open(
        self, category: Category, batch: Sequence[Balance], default_times: Sequence[datetime], reason: str
    ) -> OpeningResult:
        for _ in range(MAX_ATTEMPTS):
            try:
                async with self._database.begin() as connection:
                    return await self._attempt(connection, category, batch, default_times, reason)
            except (ChainMoved, IntegrityError):
                continue  # A user of this batch is playing.
        raise ServiceUnavailable

    async def _attempt(
        self,
        connection: AsyncConnection,
        category: Category,
        batch: Sequence[Balance],
        default_times: Sequence[datetime],
        reason: str,
    ) -> OpeningResult:
        await connection.execute(
            INSERT_USERS,
            {
                "ids": [balance.user_id for balance in batch],
                "usernames": [balance.username for balance in batch],
                "skeletons": [skeleton(balance.username) for balance in batch],
                "avatars": [balance.avatar_url for balance in batch],
            },
        )
        requests = [opening_request(category, balance, reason) for balance in batch]
        states = await load(connection, requests, self._clock())
        postings: list[Posting] = []
        for balance, request, state, default_time in zip(batch, requests, states, default_times, strict=True):
            if state.account is None or state.request_used:
                continue
            at = reached_at(balance, state.account, default_time, self._clock())
            opening = with_opening(request, state.account, at)
            transaction_id, salt = uuid7(at, self._random_bytes), self._random_bytes(SALT_BYTES)
            postings.append(post(opening, state.account, at, transaction_id, salt))
        if postings:
            await store(connection, postings)
            await discard_checkpoints_from(
                connection, category.id, min(posting.transaction.created_at for posting in postings)
            )
            await self._milestones.award_imported(connection, postings)
        return OpeningResult(len(postings), len(batch) - len(postings))


def _batches(balances: Iterable[Balance]) -> Iterator[list[Balance]]:
    """Yield batches of up to `BATCH_SIZE` balances, with at most one balance of each user."""
    batch: dict[object, Balance] = {}
    for balance in balances:
        if len(batch) == BATCH_SIZE or balance.user_id in batch:
            yield list(batch.values())
            batch = {}
        batch[balance.user_id] = balance
    if batch:
        yield list(batch.values())
