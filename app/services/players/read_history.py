"""The history of a player: scores and ranks over time, and the transactions."""

from __future__ import annotations

from collections.abc import Sequence
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
from app.models.statements.players.score_history import (
    AFTER_LAST_TRANSACTION,
    find_entry,
    read_chain,
    read_score_changes,
)
from app.runtime import Runtime
from app.services.players.profile_cache import ProfileCache
from app.stores.bulkhead import Bulkhead
from app.stores.postgres import Database

MAX_TRANSACTIONS = 100
"""Transactions per page."""


class PlayerHistory:
    """Reads histories.

    All methods raise ServiceUnavailable if PostgreSQL does not answer, and RateLimited if there are too many such reads
    at the moment. Callers read their own history, and everybody transactions, from the primary: they see what they have
    just done, through whichever instance, and do not count among these reads.
    """

    def __init__(self, primary: Database, past: Bulkhead, profiles: ProfileCache, runtime: Runtime) -> None:
        self._primary = primary
        self._past = past
        self._profiles = profiles
        self._clock = runtime.clock

    async def scores(
        self,
        user_id: UUID,
        category: Category,
        begin: datetime,
        end: datetime,
        step: Step,
        viewer: Caller | None = None,
    ) -> tuple[Profile, ScoreHistory]:
        """Return the user's all-time score over time, with the profile as `viewer` may see it.

        Raises:
            UserNotFound: There is no such user.
            BadUserInput: The range is empty, has no time zone, or has too many points.
        """
        buckets = buckets_between(begin, end, step, self._clock())
        profile = await self._profile(user_id, viewer)
        is_own = viewer is not None and viewer.user_id == user_id
        async with (self._primary if is_own else self._past).snapshot() as connection:
            opening, changes = await read_score_changes(connection, user_id, category.id, buckets)
        return profile, history_of(buckets, opening, changes)

    async def ranks(
        self,
        user_id: UUID,
        category: Category,
        period: Period,
        begin: datetime,
        end: datetime,
        viewer: Caller | None = None,
    ) -> tuple[Profile, Sequence[RankPoint]]:
        """Return the user's rank in every closed window that began within [begin, end), as of its closing.

        The profile is as `viewer` may see it.

        Raises:
            UserNotFound: There is no such user.
            BadUserInput: The period is ALL_TIME, or the range is empty, has no time zone, or has too many points.
        """
        if period is Period.ALL_TIME:
            raise BadUserInput("The period must be DAILY, WEEKLY or MONTHLY: the ALL_TIME board is never closed.")
        now = self._clock()
        buckets_between(begin, end, Step.DAY, now)
        # No window begins after now, and days after the end of the calendar cannot be computed.
        first, last = (min(instant, now).astimezone(UTC) for instant in (begin, end - timedelta(microseconds=1)))
        # A window begins at midnight, so the first one is at the first midnight at or after `begin`.
        day = (first + timedelta(days=1) - timedelta(microseconds=1)).date()
        profile = await self._profile(user_id, viewer)
        async with self._past.connect() as connection:
            points = await read_ranks(
                connection, user_id, category.id, period, day, last.date() + timedelta(days=1)
            )  # fmt: skip
        return profile, points[:MAX_POINTS]

    async def transactions(
        self, caller: Caller, user_id: UUID, limit: int, after: str | None
    ) -> tuple[Sequence[LedgerEntry], bool]:
        """Return a page of a user's transactions, the newest first, and whether there are more.

        Args:
            caller: The user or a moderator.
            user_id: The user whose transactions are read.
            limit: The maximum number of transactions.
            after: The cursor of the last transaction of the page before; None for the first page.

        Raises:
            Forbidden: The caller is neither the user nor a moderator.
            BadUserInput: The limit is out of range, or the cursor is invalid.
            UserNotFound: There is no such user.
        """
        if caller.user_id != user_id and caller.role is not Role.MODERATOR:
            raise Forbidden
        if not 1 <= limit <= MAX_TRANSACTIONS:
            raise BadUserInput(f"The number of transactions must be between 1 and {MAX_TRANSACTIONS}.")
        before = AFTER_LAST_TRANSACTION if after is None else parse_ledger_cursor(user_id, after)
        is_own = caller.user_id == user_id
        if not is_own:
            await self._profile(user_id)
        async with self._primary.connect() as connection:
            entries = await read_chain(connection, user_id, before, limit + 1)
        return entries[:limit], len(entries) > limit

    async def transaction(self, caller: Caller, transaction_id: UUID) -> LedgerEntry | None:
        """Return one transaction of the caller, or of anybody for a moderator; None if there is no such."""
        owner = None if caller.role is Role.MODERATOR else caller.user_id
        async with self._primary.connect() as connection:
            return await find_entry(connection, transaction_id, owner)

    async def _profile(self, user_id: UUID, viewer: Caller | None = None) -> Profile:
        profile = (await self._profiles.get([user_id], viewer)).get(user_id)
        if profile is None:
            raise UserNotFound
        return profile
