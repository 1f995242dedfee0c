"""The account cache: the state of users that this process has just written, so that it need not be loaded again.

Cached accounts may be out of date, because other processes write too. For the state that the chain covers (scores,
completions, held submissions, whether the user is hidden or deleted) this is harmless: a posting is stored only if the
chain still ends where the account says, so at worst it is computed twice. A refusal is not stored; the ledger accepts
one only from an account that `is_fresh`. The state that the chain does not cover:

- the profile, and a flag that a moderator closes without a transaction: processes notify each other, and a process that
  receives no notices keeps accounts only as long as they are fresh. Opening a flag needs a posting.
- the number of accounts that play from an address: counted again every minute.
- completions of today beyond the action's daily limit, which are not counted: another limit needs another count.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from math import inf
from uuid import UUID

from app.domain.boards.board import Board
from app.domain.ledger.activity import Completion, History
from app.domain.ledger.posting import Account, Activity, Head, Posting, ScoreRequest
from app.domain.ledger.scoring import ScoreRow
from app.domain.ledger.transactions import PLAYED, Kind
from app.domain.rules.fraud import is_public
from app.domain.users import Profile
from app.runtime import Runtime

LIFETIME_SECONDS = 900.0
"""Seconds after which a cached account is loaded again."""

FRESH_SECONDS = 60.0
"""Seconds after its loading for which a cached account may be the reason of a refusal."""


_CountKey = tuple[date, int | None, bool, timedelta]
"""The UTC day, and the daily limit, repeatability and cooldown of the action."""


@dataclass(slots=True)
class _CachedAccount:
    profile: Profile
    head: Head
    hidden: bool
    history: History
    loaded_at: float
    rows: dict[str, dict[Board, ScoreRow]]
    """By category; a missing category was never loaded."""
    activities: dict[str, tuple[_CountKey, Activity]]
    """By action, with what the count depends on."""


class AccountCache:
    """Caches accounts by user. The least recently used are evicted first."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        max_history: int,
        capacity: int = 20_000,
        has_notices: Callable[[], bool] = lambda: True,
    ) -> None:
        """Create an empty cache.

        Args:
            runtime: The source of monotonic time.
            max_history: How many completions of a player are kept for fraud detection.
            capacity: How many accounts, used tokens and addresses are kept.
            has_notices: Returns whether this process receives the notices of others.
        """
        self.hits = 0
        self.misses = 0
        self._monotonic = runtime.monotonic
        self._max_history = max_history
        self._capacity = capacity
        self._accounts: OrderedDict[UUID, _CachedAccount] = OrderedDict()
        self._used_tokens: OrderedDict[bytes, None] = OrderedDict()
        self._address_counts: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._has_notices = has_notices
        self._invalidations = 0

    def get_all(self, requests: Iterable[ScoreRequest], now: datetime) -> list[Account | None]:
        """Return `get` of each request."""
        return [self.get(request, now) for request in requests]

    def get(self, request: ScoreRequest, now: datetime) -> Account | None:
        """Return the account to judge `request` by, or None if it must be loaded.

        Only submissions of action tokens are served, and no repeats of those: the first receipt is in the database.
        """
        account = self._get(request, now)
        if account is None:
            self.misses += 1
        else:
            self.hits += 1
        return account

    def _get(self, request: ScoreRequest, now: datetime) -> Account | None:
        cached = self._accounts.get(request.user_id)
        if cached is None or request.kind is not Kind.ACTION or request.token_hash in self._used_tokens:
            return None
        if self._monotonic() - cached.loaded_at > (LIFETIME_SECONDS if self._has_notices() else FRESH_SECONDS):
            return None
        assert request.action is not None
        rows = cached.rows.get(request.category.id)
        counted, activity = cached.activities.get(request.action.id, (None, None))
        if rows is None or activity is None or counted != _count_key(request, now):
            return None
        history = cached.history
        if self._is_counted(request):
            accounts_per_address = self._fresh_address_count(request.actor.address)
            if accounts_per_address is None:
                return None
            if accounts_per_address != history.accounts_per_address:
                history = replace(history, accounts_per_address=accounts_per_address)
        self._accounts.move_to_end(request.user_id)
        return Account(cached.profile, cached.head, rows, activity, history, cached.hidden)

    def is_fresh(self, request: ScoreRequest) -> bool:
        """Return whether the account of `request`, if it is cached, was loaded so recently that it may refuse it."""
        cached = self._accounts.get(request.user_id) if request.kind is Kind.ACTION else None
        return cached is None or self._monotonic() - cached.loaded_at <= FRESH_SECONDS

    def addresses_to_count(self, requests: Iterable[ScoreRequest]) -> set[str]:
        """Return the addresses whose accounts must be counted before `get` can serve these requests."""
        return {
            request.actor.address
            for request in requests
            if request.actor.address is not None
            and request.kind is Kind.ACTION
            and request.user_id in self._accounts
            and self._is_counted(request)
            and self._fresh_address_count(request.actor.address) is None
        }

    def set_accounts_per_address(self, accounts_per_address: Mapping[str, int]) -> None:
        """Store how many accounts were just counted on each address."""
        now = self._monotonic()
        for address, accounts in accounts_per_address.items():
            self._address_counts[address] = (now, accounts)
            self._address_counts.move_to_end(address)
        while len(self._address_counts) > self._capacity:
            self._address_counts.popitem(last=False)

    @property
    def invalidations(self) -> int:
        """How often accounts were invalidated: an account that was loaded before the last time must not be stored."""
        return self._invalidations

    def store(self, request: ScoreRequest, account: Account, now: datetime, invalidations: int | None = None) -> None:
        """Store an account that was just loaded for `request`, if it is the submission of an action token.

        Args:
            request: The request.
            account: Its account.
            now: The time of the loading.
            invalidations: The property of this name before the loading; None skips the check.
        """
        if self._is_counted(request) and request.actor.address is not None:
            self.set_accounts_per_address({request.actor.address: account.history.accounts_per_address})
        if (
            request.kind is not Kind.ACTION
            or request.action is None
            or invalidations not in (None, self._invalidations)
        ):
            return
        cached = self._accounts.get(request.user_id)
        if cached is None or cached.head != account.head:
            cached = self._accounts[request.user_id] = _CachedAccount(
                account.profile, account.head, account.hidden, account.history, self._monotonic(), {}, {}
            )
            if len(self._accounts) > self._capacity:
                self._accounts.popitem(last=False)
        else:
            cached.profile, cached.hidden, cached.history = account.profile, account.hidden, account.history
            cached.loaded_at = self._monotonic()
        self._accounts.move_to_end(request.user_id)
        cached.rows[request.category.id] = dict(account.rows)
        cached.activities[request.action.id] = (_count_key(request, now), account.activity)

    def apply(self, posting: Posting) -> None:
        """Update the cached account with a posting that was committed, or evict it where that is not possible."""
        entry = posting.transaction
        cached = self._accounts.get(entry.user_id)
        if cached is None or cached.head != posting.head or entry.kind not in (Kind.ACTION, Kind.HELD):
            self._accounts.pop(entry.user_id, None)
            return
        assert entry.category_id is not None
        assert entry.action_id is not None
        if entry.category_id not in cached.rows or entry.action_id not in cached.activities:
            del self._accounts[entry.user_id]
            return
        cached.head = Head(entry.seq, entry.hash)
        cached.rows[entry.category_id].update((one.board, one.row) for one in posting.score_changes)
        counted, before = cached.activities[entry.action_id]
        cached.activities[entry.action_id] = (counted, Activity(entry.created_at, before.done_today + 1, True))
        recent = (Completion(entry.created_at, entry.action_id), *cached.history.recent)[: self._max_history]
        suspect = cached.history.is_suspect or posting.suspicion is not None
        cached.history = History(recent, cached.history.accounts_per_address, suspect)
        if entry.token_hash is not None:
            self._used_tokens[entry.token_hash] = None
            if len(self._used_tokens) > self._capacity:
                self._used_tokens.popitem(last=False)

    def invalidate(self, user_id: UUID) -> None:
        """Evict the account of a user."""
        self._invalidations += 1
        self._accounts.pop(user_id, None)

    def invalidate_all(self) -> None:
        """Evict every account."""
        self._invalidations += 1
        self._accounts.clear()

    def _is_counted(self, request: ScoreRequest) -> bool:
        """Return whether fraud detection needs the number of accounts on the address of `request`."""
        return self._max_history > 0 and request.kind in PLAYED and is_public(request.actor.address)

    def _fresh_address_count(self, address: str | None) -> int | None:
        at, accounts = self._address_counts.get(address or "", (-inf, 0))
        return accounts if self._monotonic() - at <= FRESH_SECONDS else None


def _count_key(request: ScoreRequest, now: datetime) -> _CountKey:
    """Return what the activity depends on: the UTC day, and how many completions are read, from when on."""
    action = request.action
    if action is None:
        return now.date(), None, True, timedelta(0)
    return now.date(), action.daily_limit, action.repeatable, action.cooldown
