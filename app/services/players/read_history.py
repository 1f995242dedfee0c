"""A player's past: the score and the rank over time, and the transactions behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.domain.boards.cursors import parse_ledger_cursor
from app.domain.boards.periods import Period
from app.domain.catalogue.catalogue import Category
from app.domain.errors import BadUserInput, Forbidden, UserNotFound
from app.domain.ledger.entries import LedgerEntry
from app.domain.players.score_history import MAX_POINTS, RankPoint, ScoreHistory, Step, buckets_between, history_of
from app.domain.users import Caller, Profile, Role
from app.models.statements.boards.closed_windows import read_ranks
from app.models.statements.players.score_history import AFTER_LAST_TRANSACTION, read_chain, read_score_changes
from app.services.players.profile_cache import ProfileCache
from app.stores.postgres import Database
from app.stores.replicas import Replicas

MAX_TRANSACTIONS = 100


class PlayerHistory:
    """The use cases behind `scoreHistory`, `rankHistory` and `transactions`. All of them raise ServiceUnavailable."""

    def __init__(self, database: Database | Replicas, profiles: ProfileCache, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._profiles = profiles
        self._clock = clock

    async def scores(
        self, user_id: UUID, category: Category, begin: datetime, end: datetime, step: Step
    ) -> tuple[Profile, ScoreHistory]:
        """The all-time score over time. Raises UserNotFound; BadUserInput for a stretch that makes no sense."""
        buckets = buckets_between(begin, end, step, self._clock())
        profile = await self._profile(user_id)
        async with self._database.snapshot() as connection:
            opening, changes = await read_score_changes(connection, user_id, category.id, buckets)
        return profile, history_of(buckets, opening, changes)

    async def ranks(
        self, user_id: UUID, category: Category, period: Period, begin: datetime, end: datetime
    ) -> tuple[Profile, Sequence[RankPoint]]:
        """The place in every closed window that began within [begin, end), as it was when the window was closed.

        Raises UserNotFound; BadUserInput for ALL_TIME, which never closes, and for a stretch that makes no sense.
        """
        if period is Period.ALL_TIME:
            raise BadUserInput("`period` must be DAILY, WEEKLY or MONTHLY: the ALL_TIME board is never closed.")
        now = self._clock()
        buckets_between(begin, end, Step.DAY, now)
        # Nothing begins after now, and the days after the last one of the calendar cannot be computed.
        first, last = (min(instant, now).astimezone(UTC) for instant in (begin, end - timedelta(microseconds=1)))
        # A window begins at midnight: from the first midnight that is not before `begin`.
        day = (first + timedelta(days=1) - timedelta(microseconds=1)).date()
        profile = await self._profile(user_id)
        async with self._database.connect() as connection:
            points = await read_ranks(
                connection, user_id, category.id, period, day, last.date() + timedelta(days=1)
            )  # fmt: skip
        return profile, points[:MAX_POINTS]

    async def transactions(
        self, caller: Caller, user_id: UUID, first: int, after: str | None
    ) -> tuple[Sequence[LedgerEntry], bool]:
        """The next `first` transactions of a user, the newest first, and whether there are more.

        For the user and for moderators: raises Forbidden for others. Raises BadUserInput, UserNotFound.
        """
        if caller.user_id != user_id and caller.role is not Role.MODERATOR:
            raise Forbidden
        if not 1 <= first <= MAX_TRANSACTIONS:
            raise BadUserInput(f"`first` must be between 1 and {MAX_TRANSACTIONS}.")
        before = AFTER_LAST_TRANSACTION if after is None else parse_ledger_cursor(user_id, after)
        if caller.user_id != user_id:
            await self._profile(user_id)
        async with self._database.connect() as connection:
            entries = await read_chain(connection, user_id, before, first + 1)
        return entries[:first], len(entries) > first

    async def _profile(self, user_id: UUID) -> Profile:
        profile = (await self._profiles.get([user_id])).get(user_id)
        if profile is None:
            raise UserNotFound
        return profile
