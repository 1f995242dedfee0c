"""The ledger as a service: claims go in, committed transactions come out, many to a commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import DBAPIError, IntegrityError

from app.domain.errors import (
    ActionTokenNotYours,
    ActionTokenUsed,
    DomainError,
    InvalidActionToken,
    ServiceUnavailable,
    UserNotFound,
)
from app.domain.ids import uuid7
from app.domain.ledger import Account, Claim, Posting, post
from app.domain.receipts import Receipt
from app.models.ledger import Loaded, Overtaken, load, receipt_by_token, store
from app.services.announcer import Announcer
from app.services.database import Database, is_repeatable
from app.services.group_commit import GroupCommit

Judge = Callable[[Claim, Account, datetime], None]
"""Raises the refusal of a claim, or lets it pass. Pure: it may be asked again after a conflict."""

ATTEMPTS = 5
"""How often a claim is judged anew because others changed the same user meanwhile, before the caller must come back."""


@dataclass(frozen=True, slots=True)
class _Wish:
    claim: Claim
    judge: Judge


@dataclass(frozen=True, slots=True)
class _Committed:
    posting: Posting
    ranks: asyncio.Future[Receipt]


class Ledger:
    """The one way by which scores change.

    Guarantees: a claim is judged by the very state that it changes; what is acknowledged is committed; what is
    refused changed nothing; a token or request key pays once, whatever runs at the same time.
    """

    def __init__(
        self,
        database: Database,
        announcer: Announcer,
        clock: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
        *,
        batch: int,
        lanes: int,
    ) -> None:
        """`batch`: the most claims that share one commit. `lanes`: how many commits may be under way."""
        self._database = database
        self._announcer = announcer
        self._clock = clock
        self._random_bytes = random_bytes
        self._queue = GroupCommit(self._commit, size=batch, lanes=lanes, key=lambda wish: wish.claim.user_id)

    async def post(self, claim: Claim, judge: Judge) -> Receipt:
        """Carry out `claim` if `judge` lets it pass.

        Raises what `judge` raises; ActionTokenUsed, ActionTokenNotYours or InvalidActionToken for a token that cannot
        be consumed; UserNotFound; ServiceUnavailable. After the commit nothing is raised any more: without Redis the
        receipt just has no ranks.
        """
        committed = await self._queue.submit(_Wish(claim, judge))
        return await committed.ranks

    async def drain(self) -> None:
        """Return when everything under way is committed and announced."""
        await self._queue.drain()
        await self._announcer.drain()

    async def _commit(self, wishes: Sequence[_Wish]) -> Sequence[_Committed | Exception]:
        try:
            return await self._attempt(wishes)
        except (Overtaken, IntegrityError):
            return [await self._alone(wish) for wish in wishes]
        except DBAPIError as error:
            if not is_repeatable(error):
                raise
            return [await self._alone(wish) for wish in wishes]

    async def _alone(self, wish: _Wish) -> _Committed | Exception:
        """One claim by itself, so that no other's conflict can harm it."""
        for _ in range(ATTEMPTS):
            try:
                return (await self._attempt([wish]))[0]
            except (Overtaken, IntegrityError):
                continue
            except DBAPIError as error:
                if not is_repeatable(error):
                    return error
            except DomainError as error:
                return error
        return ServiceUnavailable()

    async def _attempt(self, wishes: Sequence[_Wish]) -> Sequence[_Committed | Exception]:
        now = self._clock()
        async with self._database.connect() as connection:
            loaded = await load(connection, [wish.claim for wish in wishes], now)
        results: list[_Committed | Exception | Posting] = []
        for wish, state in zip(wishes, loaded, strict=True):
            try:
                account = await self._admit(wish.claim, state)
                wish.judge(wish.claim, account, now)
                results.append(post(wish.claim, account, now, self._new_id(now)))
            except DomainError as refusal:
                results.append(refusal)
        postings = [result for result in results if isinstance(result, Posting)]
        if postings:
            async with self._database.begin() as connection:
                await store(connection, postings)
        return [self._announce(result) if isinstance(result, Posting) else result for result in results]

    async def _admit(self, claim: Claim, state: Loaded) -> Account:
        """The account, when the claim's token can be consumed by its claimant."""
        if claim.token_hash is not None:
            if state.token_owner is None:
                raise InvalidActionToken
            if state.token_owner != claim.user_id:
                raise ActionTokenNotYours
            if state.token_used:
                async with self._database.connect() as connection:
                    receipt = await receipt_by_token(connection, claim.token_hash)
                raise InvalidActionToken if receipt is None else ActionTokenUsed(receipt)
        if state.account is None:
            raise UserNotFound
        return state.account

    def _announce(self, posting: Posting) -> _Committed:
        return _Committed(posting, self._announcer.announce(posting))

    def _new_id(self, now: datetime) -> UUID:
        return uuid7(now, self._random_bytes)
