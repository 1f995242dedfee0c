"""The ledger as a service: claims go in, committed transactions come out, many to a commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import DBAPIError, IntegrityError

from app.domain.errors import (
    ActionTokenNotYours,
    ActionTokenUsed,
    BadUserInput,
    DomainError,
    DuplicateAction,
    InvalidActionToken,
    ServiceUnavailable,
    UnderReview,
    UserNotFound,
)
from app.domain.ids import uuid7
from app.domain.ledger.posting import Account, Posting, ScoreRequest, post
from app.domain.ledger.receipts import Receipt
from app.domain.players.milestones import Milestone
from app.models.statements.ledger.accounts_per_address import count_accounts_per_address
from app.models.statements.ledger.load_accounts import Loaded, load
from app.models.statements.ledger.store_postings import (
    ChainMoved,
    is_one_statement,
    lock_user,
    receipt_by_request,
    receipt_by_token,
    store,
)
from app.services.ledger.account_cache import AccountCache
from app.services.ledger.after_commit import AfterCommit
from app.services.ledger.milestones import Milestones
from app.stores.batching import Batcher
from app.stores.postgres import Database, is_retryable

Judge = Callable[[ScoreRequest, Account, datetime], ScoreRequest]
"""Raises the refusal of a claim, or says what to post: the claim as it is, or as the judge would have it.

Pure: it may be asked again after a conflict. What it raises need not be a refusal; it reaches the caller as it is.
"""

ATTEMPTS = 5
"""How often a claim is judged anew because others changed the same user meanwhile, before the caller must come back."""


@dataclass(frozen=True, slots=True)
class _QueuedRequest:
    request: ScoreRequest
    judge: Judge


_Committed = asyncio.Future[Receipt]
"""The receipt of what is committed, to come with its ranks."""


class Ledger:
    """The one way by which scores change.

    Guarantees: a claim is judged by the very state that it changes; what is acknowledged is committed; what is
    refused changed nothing; a token or request key pays once, whatever runs at the same time.
    """

    def __init__(
        self,
        database: Database,
        account_cache: AccountCache,
        after_commit: AfterCommit,
        milestones: Milestones,
        clock: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
        *,
        batch: int,
        max_concurrent: int,
        min_second_batch: int = 1,
        recent: int = 0,
    ) -> None:
        """`batch`: the most claims that share one commit. `max_concurrent`: how many commits may be under way;
        `min_second_batch`: how many claims must wait before one more is begun.

        `recent`: how many completions of a player's history the judges want to see.
        """
        self._database = database
        self._account_cache = account_cache
        self._after_commit = after_commit
        self._milestones = milestones
        self._clock = clock
        self._random_bytes = random_bytes
        self._recent = recent
        self._queue = Batcher(
            self._commit,
            size=batch,
            max_concurrent=max_concurrent,
            min_second_batch=lambda: min_second_batch,
            key=lambda item: item.request.user_id,
        )

    async def post(self, request: ScoreRequest, judge: Judge) -> Receipt:
        """Carry out what `judge` makes of `request`.

        Raises what `judge` raises; ActionTokenUsed, ActionTokenNotYours or InvalidActionToken for a token that cannot
        be consumed; DuplicateAction for a request key that has paid, BadUserInput when it did so for other content;
        UnderReview for a repeat of what is held; UserNotFound; ServiceUnavailable. After the commit nothing is raised
        any more: without Redis the receipt just has no ranks.
        """
        committed = await self._queue.submit(_QueuedRequest(request, judge))
        return await committed

    async def refuse_repeats(self, request_key: str, request_hash: bytes | None) -> None:
        """Raise what `post` would for a request key that has been used; pass a new one."""
        async with self._database.connect() as connection:
            found = await receipt_by_request(connection, request_key)
        if found is not None:
            raise _repetition(*found, request_hash)

    async def refuse_replay(self, token_hash: bytes, user_id: UUID) -> None:
        """Raise what `post` would for a token that this user has used; pass any other."""
        async with self._database.connect() as connection:
            receipt = await receipt_by_token(connection, token_hash)
        if receipt is not None and receipt.user.id == user_id:
            raise UnderReview if receipt.held else ActionTokenUsed(receipt)

    async def drain(self) -> None:
        """Return when everything under way is committed and announced."""
        await self._queue.drain()
        await self._after_commit.drain()

    async def _commit(self, queued: Sequence[_QueuedRequest]) -> Sequence[_Committed | Exception]:
        """First from memory, then from the database, and then each by itself."""
        for from_memory in (True, False):
            try:
                return await self._attempt(queued, from_memory=from_memory)
            except (ChainMoved, IntegrityError):
                continue
            except DBAPIError as error:
                if not is_retryable(error):
                    raise
        return [await self._alone(item) for item in queued]

    async def _alone(self, item: _QueuedRequest) -> _Committed | Exception:
        """One claim by itself, so that no other's conflict can harm it.

        The user is locked first: whoever is as eager on another instance waits, instead of being faster again.
        """
        for _ in range(ATTEMPTS):
            try:
                return await self._locked(item)
            except (ChainMoved, IntegrityError):
                continue
            except DBAPIError as error:
                if not is_retryable(error):
                    return error
            except DomainError as error:
                return error
        return ServiceUnavailable()

    async def _attempt(
        self, queued: Sequence[_QueuedRequest], *, from_memory: bool
    ) -> Sequence[_Committed | Exception]:
        now = self._clock()
        results = await self._judge_all(queued, now, from_memory=from_memory)
        doubtful = [
            index
            for index, (item, result) in enumerate(zip(queued, results, strict=True))
            if isinstance(result, Exception) and not self._account_cache.is_fresh(item.request)
        ]
        if doubtful:
            again = await self._judge_all([queued[index] for index in doubtful], now, from_memory=False)
            for index, result in zip(doubtful, again, strict=True):
                results[index] = result
        postings = [result for result in results if isinstance(result, Posting)]
        if postings:
            await self._store(postings)
        return [self._after_commit.announce(result) if isinstance(result, Posting) else result for result in results]

    async def _locked(self, item: _QueuedRequest) -> _Committed | Exception:
        self._account_cache.invalidate(item.request.user_id)
        async with self._database.begin() as connection:
            await lock_user(connection, item.request.user_id)
            now = self._clock()
            (state,) = await load(connection, [item.request], now, self._recent)
            result = await self._judged(item, state, now)
            if isinstance(result, Exception):
                return result
            await store(connection, [result])
            reached = await self._milestones.award_scores(connection, [result])
        self._milestones.announce(reached)
        return self._after_commit.announce(result)

    async def _judge_all(
        self, queued: Sequence[_QueuedRequest], now: datetime, *, from_memory: bool
    ) -> list[Posting | Exception]:
        states = await self._states([item.request for item in queued], now, from_memory=from_memory)
        return [await self._judged(item, state, now) for item, state in zip(queued, states, strict=True)]

    async def _judged(self, item: _QueuedRequest, state: Loaded, now: datetime) -> Posting | Exception:
        try:
            account = await self._admit(item.request, state)
            request = item.judge(item.request, account, now)
            return post(request, account, now, self._new_id(now))
        except Exception as refusal:  # One claim's misfortune, whatever it is, must not be its neighbours'.
            return refusal

    async def _states(self, claims: Sequence[ScoreRequest], now: datetime, *, from_memory: bool) -> list[Loaded]:
        """What each claim is judged by: remembered where possible, else loaded."""
        invalidations = self._account_cache.invalidations
        if from_memory and (addresses := self._account_cache.addresses_to_count(claims)):
            async with self._database.driver() as connection:
                self._account_cache.count(await count_accounts_per_address(connection, addresses, now))
        recalled = [self._account_cache.get(request, now) if from_memory else None for request in claims]
        missing = [request for request, account in zip(claims, recalled, strict=True) if account is None]
        loaded: Iterator[Loaded] = iter(())
        if missing:
            async with self._database.driver() as connection:
                loaded = iter(await load(connection, missing, now, self._recent))
        states = []
        for request, account in zip(claims, recalled, strict=True):
            if account is not None:
                # Whether the token is good is left to the constraint: `store` consumes it, or fails.
                states.append(Loaded(account, request.user_id, token_used=False, request_used=False))
                continue
            state = next(loaded)
            if state.account is not None:
                self._account_cache.store(request, state.account, now, invalidations)
            states.append(state)
        return states

    async def _store(self, postings: Sequence[Posting]) -> None:
        plain = is_one_statement(postings) and not self._milestones.are_crossed(postings)
        reached: Sequence[Milestone] = ()
        try:
            if plain:
                async with self._database.driver() as connection:
                    await store(connection, postings)
            else:
                async with self._database.begin() as connection:
                    await store(connection, postings)
                    reached = await self._milestones.award_scores(connection, postings)
        except BaseException:
            for posting in postings:
                self._account_cache.invalidate(posting.transaction.user_id)
            raise
        for posting in postings:
            self._account_cache.apply(posting)
        self._milestones.announce(reached)

    async def _admit(self, request: ScoreRequest, state: Loaded) -> Account:
        """The account, when the claim's token can be consumed by its claimant and its request key is new."""
        if request.token_hash is not None:
            if state.token_owner is None:
                raise InvalidActionToken
            if state.token_owner != request.user_id:
                raise ActionTokenNotYours
            if state.token_used:
                await self.refuse_replay(request.token_hash, request.user_id)
                raise InvalidActionToken
        if request.request_key is not None and state.request_used:
            await self.refuse_repeats(request.request_key, request.request_hash)
        if state.account is None:
            raise UserNotFound
        return state.account

    def _new_id(self, now: datetime) -> UUID:
        return uuid7(now, self._random_bytes)


def _repetition(receipt: Receipt, content: bytes | None, wanted: bytes | None) -> DomainError:
    if content != wanted:
        return BadUserInput("This idempotency key was used for a request with different content. Use a new key.")
    return UnderReview() if receipt.held else DuplicateAction(receipt)
