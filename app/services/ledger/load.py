"""LOAD, the first phase of the ledger: the account that each request is judged by.

The loader owns the account cache: memory comes first, then one SELECT for everything that is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import ActionTokenNotYours, InvalidActionToken, UserNotFound
from app.domain.ledger.posting import Account, Posting, ScoreRequest
from app.models.statements.ledger.accounts_per_address import count_accounts_per_address
from app.models.statements.ledger.load_accounts import AccountState, load
from app.services.ledger.account_cache import AccountCache
from app.services.ledger.repeats import refusal_of_request_key, refusal_of_token
from app.stores.postgres import Database

LoadedAccount = Account | Exception
"""An account, or the refusal of a request that needs no judging: a used token, an unknown user."""


class AccountLoader:
    """Loads accounts, and keeps the account cache up to date with what the ledger stores."""

    def __init__(self, database: Database, cache: AccountCache, *, max_history: int) -> None:
        """Configure the loader.

        Args:
            database: Where accounts are loaded from.
            cache: Accounts of earlier requests. The loader is the only one to fill it.
            max_history: How many of a player's completions are loaded for fraud detection.
        """
        self._database = database
        self._cache = cache
        self._max_history = max_history

    async def load(self, requests: Sequence[ScoreRequest], now: datetime, *, use_cache: bool) -> list[LoadedAccount]:
        """Return one account, or one refusal, per request.

        Whether a cached account's token can still be consumed is left to the constraint: storing fails if not.

        Raises:
            ServiceUnavailable: PostgreSQL cannot be used.
        """
        cache, invalidations = self._cache, self._cache.invalidations
        if use_cache and (addresses := cache.addresses_to_count(requests)):
            async with self._database.driver() as connection:
                cache.set_accounts_per_address(await count_accounts_per_address(connection, addresses, now))
        accounts: list[LoadedAccount | None] = [*cache.get_all(requests, now)] if use_cache else [None] * len(requests)
        missing = [index for index, account in enumerate(accounts) if account is None]
        if missing:
            wanted = [requests[index] for index in missing]
            async with self._database.driver() as connection:
                states = await load(connection, wanted, now, self._max_history)
            for index, request, state in zip(missing, wanted, states, strict=True):
                if state.account is not None:
                    cache.store(request, state.account, now, invalidations)
                accounts[index] = await self._admit(request, state)
        return [account for account in accounts if account is not None]

    async def load_locked(self, connection: AsyncConnection, request: ScoreRequest, now: datetime) -> LoadedAccount:
        """Return the account of a user whom the transaction of `connection` has locked; the cache is not used."""
        (state,) = await load(connection, [request], now, self._max_history)
        return await self._admit(request, state)

    def is_fresh(self, request: ScoreRequest) -> bool:
        """Return whether a refusal of `request` may rest on the account that it was judged by."""
        return self._cache.is_fresh(request)

    def apply(self, postings: Iterable[Posting]) -> None:
        """Bring cached accounts up to postings that were committed."""
        for posting in postings:
            self._cache.apply(posting)

    def evict(self, user_ids: Iterable[UUID]) -> None:
        """Remove the accounts of these users from the cache: what is stored of them is not known."""
        for user_id in user_ids:
            self._cache.invalidate(user_id)

    async def _admit(self, request: ScoreRequest, state: AccountState) -> LoadedAccount:
        """Return the account if the token is the user's and unused, and the request key is new."""
        try:
            if request.token_hash is not None:
                if state.token_owner is None:
                    return InvalidActionToken()
                if state.token_owner != request.user_id:
                    return ActionTokenNotYours()
                if state.token_used:
                    used = await refusal_of_token(self._database, request.token_hash, request.user_id)
                    return used or InvalidActionToken()
            if request.request_key is not None and state.request_used:
                repeated = await refusal_of_request_key(self._database, request.request_key, request.request_hash)
                if repeated is not None:
                    return repeated
        except Exception as error:  # One request must not fail the others of its batch.
            return error
        return state.account or UserNotFound()
