"""Reviews: the decisions of moderators about suspicious completions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from uuid import UUID

import structlog

from app.domain.errors import BadUserInput
from app.domain.events.facts import completion_decided
from app.domain.ledger.activity import Verdict
from app.domain.ledger.metadata import NO_METADATA
from app.domain.ledger.posting import UNCHANGED, ScoreRequest
from app.domain.ledger.transactions import Actor, Kind
from app.domain.rules.flags import Flag, FlagStatus
from app.domain.texts import clean_reason
from app.models.statements.boards.entry_metadata import metadata_of_transactions
from app.models.statements.ledger.amendments import find
from app.models.statements.moderation.reviews import close_flag, find_flag, read_flags, read_held
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.amend import Amendment, Amendments
from app.services.moderation.adjust_and_revert import Corrections
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

MAX_FLAGS = 100
"""Flags per page."""


class Reviews:
    """Reads flags and decides about them. The caller must have checked that the user may do so."""

    def __init__(
        self,
        database: Database,
        amendments: Amendments,
        corrections: Corrections,
        catalogue: CatalogueService,
        publish_change: Callable[[UUID], Awaitable[None]],
    ) -> None:
        """Create the use case.

        Args:
            database: Read for flags.
            amendments: Changes the ledger of one user under a lock.
            corrections: Reverts the transactions of rejected flags.
            catalogue: The categories.
            publish_change: Notifies all processes that the boards and caches of a user are out of date.
        """
        self._database = database
        self._amendments = amendments
        self._corrections = corrections
        self._catalogue = catalogue
        self._publish_change = publish_change

    async def flag(self, flag_id: UUID) -> Flag | None:
        """Return the flag with this id, or None. Raises ServiceUnavailable."""
        async with self._database.connect() as connection:
            return await find_flag(connection, flag_id)

    async def flags(self, status: FlagStatus, limit: int, after: UUID | None) -> tuple[Sequence[Flag], bool]:
        """Return flags with a status, the newest first, and whether there are more.

        Args:
            status: The status.
            limit: The maximum number of flags.
            after: The id of the last flag of the page before; None for the first page.

        Raises:
            BadUserInput: The limit is out of range.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        if not 1 <= limit <= MAX_FLAGS:
            raise BadUserInput(f"The number of flags must be between 1 and {MAX_FLAGS}.")
        async with self._database.connect() as connection:
            flags = await read_flags(connection, status, after, limit + 1)
        return flags[:limit], len(flags) > limit

    async def held(self, user_id: UUID) -> Sequence[Flag]:
        """Return up to `MAX_FLAGS` held completions of a user, the newest first."""
        async with self._database.connect() as connection:
            return await read_held(connection, user_id, MAX_FLAGS)

    async def release(self, moderator: Actor, flag_id: UUID, reason: str) -> Flag:
        """Pay a held completion now; a flag of a paid completion is closed without a change.

        Raises:
            BadUserInput: There is no such flag, or it is decided already.
            UserNotFound: The user was deleted.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        return await self._decide(FlagStatus.RELEASED, moderator, flag_id, clean_reason(reason))

    async def reject(self, moderator: Actor, flag_id: UUID, reason: str) -> Flag:
        """Do not pay a held completion; the payment of a flagged one is reverted. Raises the errors of `release`."""
        return await self._decide(FlagStatus.REJECTED, moderator, flag_id, clean_reason(reason))

    async def _decide(self, status: FlagStatus, moderator: Actor, flag_id: UUID, reason: str) -> Flag:
        user_id = (await self._find(flag_id)).user_id
        async with self._amendments.begin(user_id) as amendment:
            flag = await find_flag(amendment.connection, flag_id)  # No other decision is made while the user is locked.
            if flag is None or flag.status is not FlagStatus.OPEN:
                raise BadUserInput("A moderator has already decided about this flag.")
            decision = await self._post_decision(amendment, flag, status, moderator, reason)
            await close_flag(amendment.connection, flag_id, status, moderator.id, reason, decision, amendment.now)
            await amendment.record(completion_decided(flag, status, decision, amendment.now))
        await self._publish_change(user_id)
        log.info("flag_decided", flag=str(flag_id), status=status.value, moderator=str(moderator.id))
        return await self._find(flag_id)

    async def _post_decision(
        self, amendment: Amendment, flag: Flag, status: FlagStatus, moderator: Actor, reason: str
    ) -> UUID | None:
        """Post the decision to the ledger, if it changes anything; return the id of the transaction."""
        if flag.verdict is Verdict.FLAG:
            prior = await find(amendment.connection, flag.id)
            if status is FlagStatus.RELEASED:
                return None
            if prior is None:
                raise BadUserInput("The transaction was archived. Release the flag, and adjust the score instead.")
            return await self._corrections.revert_within(amendment, prior, moderator, reason)
        held = [(None, flag.created_at)]
        metadata = await metadata_of_transactions(amendment.connection, flag.user_id, flag.category, held)
        request = ScoreRequest(
            user_id=flag.user_id,
            category=self._catalogue.current.category(flag.category),
            kind=Kind.RELEASE,
            points=flag.points,
            actor=moderator,
            reason=reason,
            request_key=f"review:{flag.id}",
            metadata=metadata,
        )
        if status is FlagStatus.REJECTED:
            request = replace(request, kind=Kind.REJECTION, correction=UNCHANGED, metadata=NO_METADATA)
        posting = await amendment.post(request, await amendment.load(request))
        return posting.transaction.id

    async def _find(self, flag_id: UUID) -> Flag:
        async with self._database.connect() as connection:
            flag = await find_flag(connection, flag_id)
        if flag is None:
            raise BadUserInput("No flag with this id exists.")
        return flag
