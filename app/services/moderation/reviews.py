"""Reviews: what a moderator decides about completions that looked wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from uuid import UUID

import structlog

from app.domain.errors import BadUserInput
from app.domain.ledger.activity import Verdict
from app.domain.ledger.idempotency import clean_reason
from app.domain.ledger.posting import UNCHANGED, ScoreRequest
from app.domain.ledger.transactions import Actor, Kind
from app.domain.rules.flags import Flag, FlagStatus
from app.models.statements.ledger.amendments import find
from app.models.statements.moderation.reviews import close_flag, find_flag, read_flags, read_held
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.amend import Amendment, Amendments
from app.services.moderation.corrections import Corrections
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

MOST = 100
"""How many flags one reading gives at most."""


class Reviews:
    """Flags, and the decisions about them. Who may see them, and decide, is for the caller to check."""

    def __init__(
        self,
        database: Database,
        amendments: Amendments,
        corrections: Corrections,
        catalogue: CatalogueService,
        announce: Callable[[UUID], Awaitable[None]],
    ) -> None:
        """`announce` tells all processes that what they remember of a user is out of date."""
        self._database = database
        self._amendments = amendments
        self._corrections = corrections
        self._catalogue = catalogue
        self._announce = announce

    async def flags(self, status: FlagStatus, first: int, after: UUID | None) -> Sequence[Flag]:
        """The newest flags of a status; `after` is the last id of the page before. Raises BadUserInput."""
        if not 1 <= first <= MOST:
            raise BadUserInput(f"`first` must be between 1 and {MOST}.")
        async with self._database.connect() as connection:
            return await read_flags(connection, status, after, first)

    async def held(self, user_id: UUID) -> Sequence[Flag]:
        """A player's own held completions, the newest first, at most a hundred."""
        async with self._database.connect() as connection:
            return await read_held(connection, user_id, MOST)

    async def release(self, moderator: Actor, flag_id: UUID, reason: str) -> Flag:
        """Let a held completion count, from now on; a flag that held nothing is just closed.

        Raises BadUserInput for a flag that is unknown or decided; UserNotFound; ServiceUnavailable.
        """
        return await self._decide(FlagStatus.RELEASED, moderator, flag_id, clean_reason(reason))

    async def reject(self, moderator: Actor, flag_id: UUID, reason: str) -> Flag:
        """Leave a held completion unpaid; what a flagged one was paid is taken back.

        Raises BadUserInput for a flag that is unknown or decided; UserNotFound; ServiceUnavailable.
        """
        return await self._decide(FlagStatus.REJECTED, moderator, flag_id, clean_reason(reason))

    async def _decide(self, status: FlagStatus, moderator: Actor, flag_id: UUID, reason: str) -> Flag:
        user_id = (await self._find(flag_id)).user_id
        async with self._amendments.begin(user_id) as amendment:
            flag = await find_flag(amendment.connection, flag_id)  # Nobody else decides while the user is locked.
            if flag is None or flag.status is not FlagStatus.OPEN:
                raise BadUserInput("A moderator has already decided about this flag.")
            decision = await self._enter(amendment, flag, status, moderator, reason)
            await close_flag(amendment.connection, flag_id, status, moderator.id, reason, decision, amendment.now)
        await self._announce(user_id)
        log.info("flag_decided", flag=str(flag_id), status=status.value, moderator=str(moderator.id))
        return await self._find(flag_id)

    async def _enter(
        self, amendment: Amendment, flag: Flag, status: FlagStatus, moderator: Actor, reason: str
    ) -> UUID | None:
        """The decision as an entry in the ledger, unless there is nothing to enter; returns its id."""
        if flag.verdict is Verdict.FLAG:
            prior = await find(amendment.connection, flag.id)
            if status is FlagStatus.RELEASED or prior is None:
                return None
            return await self._corrections.revert_within(amendment, prior, moderator, reason)
        claim = ScoreRequest(
            user_id=flag.user_id,
            category=self._catalogue.current.category(flag.category),
            kind=Kind.RELEASE,
            points=flag.points,
            actor=moderator,
            reason=reason,
            request_key=f"review:{flag.id}",
        )
        if status is FlagStatus.REJECTED:
            claim = replace(claim, kind=Kind.REJECTION, correction=UNCHANGED)
        posting = await amendment.post(claim, await amendment.load(claim))
        return posting.transaction.id

    async def _find(self, flag_id: UUID) -> Flag:
        async with self._database.connect() as connection:
            flag = await find_flag(connection, flag_id)
        if flag is None:
            raise BadUserInput("No flag with this id exists.")
        return flag
