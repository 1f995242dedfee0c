"""The ledger: the one writer of scores that are played.

A batch of requests goes through three phases, each in a module of its own: *load* the accounts (`load`), *judge* each
request by its account (`app.domain.rules.judge`, pure), *store* the postings with one statement (`store`). After the
commit the ranks come from Redis (`after_commit`), and with them the receipts.

Two processes may change the same user at the same time. Storing fails if an account is no longer what it was when it
was loaded, and the batch is judged again. It is repeated in up to three ways:

| attempt | batch     | accounts from                  | lock                  | on conflict           |
|---------|-----------|--------------------------------|-----------------------|-----------------------|
| 1       | all       | the cache, else one SELECT     | none; optimistic      | attempt 2             |
| 2       | all       | one SELECT                     | none; optimistic      | attempt 3             |
| 3 to 7  | 1 request | SELECTs in the transaction     | the user's row        | again; at last `ServiceUnavailable` |

A conflict is `ChainMoved`, an integrity error, a deadlock or a serialization failure. A refusal is stored nowhere and
so cannot conflict: one that rests on an account cached for more than a minute is judged again from the database.

Scores have other writers, each with its own transaction: `amend` (moderators' decisions), and in
`app.services.archives` opening balances, the import of an archive and the seed. They extend the same chains.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import NoReturn, overload
from uuid import UUID

from sqlalchemy.exc import DBAPIError, IntegrityError

from app.domain.errors import DomainError, ServiceUnavailable
from app.domain.ids import uuid7
from app.domain.ledger.commitments import SALT_BYTES
from app.domain.ledger.posting import Posting, ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.rules.judge import FinalPolicy, Judgement, NeedsVerification, Policy, judge
from app.models.statements.ledger.store_postings import ChainMoved, lock_user
from app.runtime import Runtime
from app.services.ledger.after_commit import AfterCommit
from app.services.ledger.load import AccountLoader
from app.services.ledger.milestones import Milestones
from app.services.ledger.repeats import Repeat, Repeats, refusal_of_request_key, refusal_of_token
from app.services.ledger.store import PostingStore
from app.services.outbox.recorder import EventRecorder
from app.stores.batching import Batcher
from app.stores.postgres import Database, SchemaChanged, is_retryable
from app.telemetry.metrics.histogram import BATCH_SIZES, Histogram

MAX_LOCKED_ATTEMPTS = 5
"""How often a single request is tried with its user locked, before the caller has to retry."""

MAX_QUEUED = 10_000
"""How many requests may wait for a commit; further ones get ServiceUnavailable. A process commits about 2 000 a second,
so that more would be answered when their operations have already ended by `REQUEST_TIMEOUT`."""

_QueuedRequest = tuple[UUID, ScoreRequest, Policy]
"""The user (whose requests run one after the other), the request, and the policy that judges it."""

_Outcome = Receipt | NeedsVerification


class Ledger:
    """Posts score requests, many to a commit.

    Guarantees: a request is judged by the very state that it changes; what is acknowledged is committed; what is
    refused changed nothing; a token or request key pays once, whatever runs at the same time.
    """

    def __init__(
        self,
        database: Database,
        loader: AccountLoader,
        milestones: Milestones,
        after_commit: AfterCommit,
        events: EventRecorder,
        runtime: Runtime,
        *,
        max_batch_size: int,
        max_concurrent: int,
        min_second_batch: int = 1,
    ) -> None:
        """Configure the ledger.

        Args:
            database: Where postings are stored.
            loader: Loads the accounts.
            milestones: Awards the milestones that a posting reaches.
            after_commit: Makes receipts of postings that are committed.
            events: Records events with the postings.
            runtime: The sources of time and of transaction ids.
            max_batch_size: How many requests may share one commit.
            max_concurrent: How many commits may be under way.
            min_second_batch: How many requests must wait before another commit starts beside one under way.
        """
        self._database = database
        self._loader = loader
        self._store = PostingStore(database, milestones, events)
        self._milestones = milestones
        self._after_commit = after_commit
        self._repeats = Repeats(database, after_commit, runtime)
        self._runtime = runtime
        self.phases = {phase: Histogram() for phase in ("queue", "load", "judge", "store")}
        """Seconds that each phase takes, observed once for each request of a batch."""
        self.batch_sizes = Histogram(BATCH_SIZES)
        """How many requests are in each batch."""
        self._queue: Batcher[_QueuedRequest, _Outcome] = Batcher(
            self._commit,
            max_batch_size=max_batch_size,
            max_concurrent=max_concurrent,
            min_second_batch=lambda: min_second_batch,
            max_queued=MAX_QUEUED,
            key=itemgetter(0),
            name="ledger commit",
            waits=self.phases["queue"],
        )

    @overload
    def post(self, request: ScoreRequest, policy: FinalPolicy) -> asyncio.Future[Receipt]: ...

    @overload
    def post(self, request: ScoreRequest, policy: Policy) -> asyncio.Future[Receipt | NeedsVerification]: ...

    def post(self, request: ScoreRequest, policy: Policy) -> asyncio.Future[Receipt] | asyncio.Future[_Outcome]:
        """Post `request` as `policy` decides. It is posted even if nobody awaits the result.

        After the commit nothing is raised any more: without Redis the receipt has no ranks.

        Returns:
            The receipt, or `NeedsVerification` if that is the decision of the policy: then nothing was posted.

        Raises:
            ActionTokenUsed, ActionTokenNotYours, InvalidActionToken: The token cannot be consumed.
            DuplicateAction: The request key has paid; the error has the first receipt.
            BadUserInput: The request key was used for other content.
            UnderReview: The request is a repeat of one that is held.
            UserNotFound: There is no such user.
            ServiceUnavailable: PostgreSQL cannot be used, or the user is changed too often at the same time.
            Exception: What `policy` raises.
        """
        return self._queue.enqueue((request.user_id, request, policy))

    async def refuse_used_request_key(self, request_key: str, request_hash: bytes | None) -> None:
        """Raise what `post` raises for a request key that was used; return for a new one."""
        if refusal := await refusal_of_request_key(self._database, request_key, request_hash):
            await self._refuse(refusal)

    async def refuse_used_token(self, token_hash: bytes, user_id: UUID) -> None:
        """Raise what `post` raises for a token that this user has used; return for any other."""
        if refusal := await refusal_of_token(self._database, token_hash, user_id):
            await self._refuse(refusal)

    async def _refuse(self, refusal: DomainError) -> NoReturn:
        if isinstance(refusal, Repeat):
            await self._repeats.raise_after_put(refusal)
        raise refusal

    async def drain(self) -> None:
        """Return when everything under way is committed and its receipts are made."""
        await self._queue.drain()
        await self._repeats.drain()
        await self._after_commit.drain()

    async def _commit(
        self, batch: Sequence[_QueuedRequest]
    ) -> Sequence[asyncio.Future[Receipt] | NeedsVerification | Exception]:
        """Repeat in up to three ways: from the cache, from the database, and then each request alone."""
        self.batch_sizes.observe(len(batch))
        for use_cache in (True, False):
            try:
                judgements = await self._load_and_judge(batch, use_cache=use_cache)
                postings = [judgement for judgement in judgements if isinstance(judgement, Posting)]
                if postings:
                    await self._store_all(postings)
            except (ChainMoved, IntegrityError, SchemaChanged):
                continue
            except DBAPIError as error:
                if not is_retryable(error):
                    raise
            else:
                return [self._outcome(judgement) for judgement in judgements]
        return [await self._commit_alone(request, policy) for _, request, policy in batch]

    def _outcome(self, judgement: Judgement) -> asyncio.Future[Receipt] | NeedsVerification | Exception:
        """Return what the caller gets once the judgement is committed."""
        if isinstance(judgement, Posting):
            return self._after_commit.announce(judgement)
        if isinstance(judgement, Repeat):
            return self._repeats.raise_after_put(judgement)
        return judgement

    async def _load_and_judge(self, batch: Sequence[_QueuedRequest], *, use_cache: bool) -> list[Judgement]:
        """Return what becomes of each request. Judge again what only an old cached account refuses."""
        now = self._runtime.clock()
        requests = [request for _, request, _ in batch]
        with self._measured("load", len(batch)):
            accounts = await self._loader.load(requests, now, use_cache=use_cache)
        judgements: list[Judgement] = []
        with self._measured("judge", len(batch)):
            for (_, request, policy), account in zip(batch, accounts, strict=True):
                if isinstance(account, Exception):
                    judgements.append(account)
                else:
                    transaction_id = uuid7(now, self._runtime.random_bytes)
                    salt = self._runtime.random_bytes(SALT_BYTES)
                    judgements.append(judge(request, policy, account, now, transaction_id, salt))
        if use_cache:
            doubtful = [
                index
                for index, judgement in enumerate(judgements)
                if not isinstance(judgement, Posting) and not self._loader.is_fresh(requests[index])
            ]
            if doubtful:
                again = await self._load_and_judge([batch[index] for index in doubtful], use_cache=False)
                for index, judgement in zip(doubtful, again, strict=True):
                    judgements[index] = judgement
        return judgements

    async def _store_all(self, postings: Sequence[Posting]) -> None:
        try:
            with self._measured("store", len(postings)):
                await self._store.store(postings)
        except BaseException as error:
            self._loader.evict(posting.transaction.user_id for posting in postings)
            if isinstance(error, ServiceUnavailable):
                self._after_commit.record_unanswered(min(posting.transaction.created_at for posting in postings))
            raise
        self._loader.apply(postings)

    @contextmanager
    def _measured(self, phase: str, requests: int) -> Iterator[None]:
        """Observe how long the block takes, for each of `requests`."""
        started = self._runtime.monotonic()
        try:
            yield
        finally:
            self.phases[phase].observe(self._runtime.monotonic() - started, requests)

    async def _commit_alone(
        self, request: ScoreRequest, policy: Policy
    ) -> asyncio.Future[Receipt] | NeedsVerification | Exception:
        """Post one request by itself, so that no other's conflict can affect it."""
        for _ in range(MAX_LOCKED_ATTEMPTS):
            try:
                return self._outcome(await self._commit_locked(request, policy))
            except (ChainMoved, IntegrityError, SchemaChanged):
                continue
            except DBAPIError as error:
                if not is_retryable(error):
                    return error
            except DomainError as error:
                if isinstance(error, ServiceUnavailable):
                    self._after_commit.record_unanswered(self._runtime.clock())
                return error
        return ServiceUnavailable()

    async def _commit_locked(self, request: ScoreRequest, policy: Policy) -> Judgement:
        """Lock the user first: other processes wait instead of being faster again."""
        self._loader.evict([request.user_id])
        async with self._database.begin() as connection:
            await lock_user(connection, request.user_id)
            now = self._runtime.clock()
            account = await self._loader.load_locked(connection, request, now)
            if isinstance(account, Exception):
                return account
            transaction_id = uuid7(now, self._runtime.random_bytes)
            judgement = judge(request, policy, account, now, transaction_id, self._runtime.random_bytes(SALT_BYTES))
            if not isinstance(judgement, Posting):
                return judgement
            with self._measured("store", 1):
                reached = await self._store.store_in(connection, [judgement])
        self._milestones.announce(reached)
        return judgement
