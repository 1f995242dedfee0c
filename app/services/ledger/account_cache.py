"""Accounts that this process has just written: their state is known, and need not be loaded again.

What is remembered may be out of date, because other processes write too. That does no harm. What the chain tells,
which are scores, completions, held ones, and whether the user is hidden or deleted: a posting is stored only if the
chain still ends where the account says, so at worst it is computed twice. A refusal is stored nowhere; the ledger
believes only one by an account that is `is_fresh`. What no chain tells:

- the name and picture, and a flag that a moderator closes without an entry: processes tell each other, and where they
  cannot, accounts are remembered for no longer than a refusal is believed. Opening a flag needs a posting.
- how many accounts play from an address: it is counted again every minute.
- completions of today beyond the action's daily limit, which are not counted: another limit needs another count.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from math import inf
from uuid import UUID

from app.domain.boards.board import Board
from app.domain.ledger.activity import Completion, History
from app.domain.ledger.posting import Account, Activity, Head, Posting, ScoreRequest
from app.domain.ledger.scoring import ScoreRow
from app.domain.ledger.transactions import PLAYED, Kind
from app.domain.rules.fraud import is_public
from app.domain.users import Profile

LIFETIME_SECONDS = 900.0
"""Seconds for which an account is remembered after it was loaded, whatever was heard of it since."""

FRESH_SECONDS = 60.0
"""Seconds for which what is remembered is a reason to refuse; a process that hears nothing remembers no longer."""


@dataclass(slots=True)
class _CachedAccount:
    profile: Profile
    head: Head
    hidden: bool
    history: History
    loaded_at: float
    rows: dict[str, dict[Board, ScoreRow]]
    """By category; a category that is missing was never loaded."""
    activities: dict[str, tuple[tuple[date, int | None], Activity]]
    """By action, with the UTC day that `done_today` is about, and the limit up to which it was counted."""


class AccountCache:
    """Remembers accounts by user. The ones used least recently are forgotten first."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        recent: int,
        capacity: int = 20_000,
        has_notices: Callable[[], bool] = lambda: True,
    ) -> None:
        """`recent`: how many completions of a player's history are kept. `has_notices`: whether notices arrive here."""
        self.hits = 0
        self.misses = 0
        self._monotonic = monotonic
        self._recent = recent
        self._capacity = capacity
        self._memories: OrderedDict[UUID, _CachedAccount] = OrderedDict()
        self._consumed: OrderedDict[bytes, None] = OrderedDict()
        self._neighbours: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._has_notices = has_notices
        self._invalidations = 0

    def get(self, request: ScoreRequest, now: datetime) -> Account | None:
        """The account that `request` is to be judged by, or None when it must be loaded.

        Only submissions of action tokens are answered from memory, and no repeats of those: the database alone knows
        the first receipt.
        """
        account = self._get(request, now)
        if account is None:
            self.misses += 1
        else:
            self.hits += 1
        return account

    def _get(self, request: ScoreRequest, now: datetime) -> Account | None:
        memory = self._memories.get(request.user_id)
        if memory is None or request.kind is not Kind.ACTION or request.token_hash in self._consumed:
            return None
        if self._monotonic() - memory.loaded_at > (LIFETIME_SECONDS if self._has_notices() else FRESH_SECONDS):
            return None
        assert request.action is not None
        rows = memory.rows.get(request.category.id)
        counted, activity = memory.activities.get(request.action.id, (None, None))
        if rows is None or activity is None or counted != _counted(request, now):
            return None
        history = memory.history
        if self._is_counted(request):
            accounts_per_address = self._counted_neighbours(request.actor.address)
            if accounts_per_address is None:
                return None
            if accounts_per_address != history.accounts_per_address:
                history = replace(history, accounts_per_address=accounts_per_address)
        self._memories.move_to_end(request.user_id)
        return Account(memory.profile, memory.head, rows, activity, history, memory.hidden)

    def is_fresh(self, request: ScoreRequest) -> bool:
        """Whether `request` may be refused by what was recalled for it: that was loaded a moment ago, if anything
        was."""
        memory = self._memories.get(request.user_id) if request.kind is Kind.ACTION else None
        return memory is None or self._monotonic() - memory.loaded_at <= FRESH_SECONDS

    def addresses_to_count(self, claims: Iterable[ScoreRequest]) -> set[str]:
        """Addresses on which accounts are to be counted, so that `get` has an answer for those it remembers."""
        return {
            request.actor.address
            for request in claims
            if request.actor.address is not None
            and request.kind is Kind.ACTION
            and request.user_id in self._memories
            and self._is_counted(request)
            and self._counted_neighbours(request.actor.address) is None
        }

    def count(self, accounts_per_address: Mapping[str, int]) -> None:
        """Remember how many accounts were just counted on each address."""
        now = self._monotonic()
        for address, accounts in accounts_per_address.items():
            self._neighbours[address] = (now, accounts)
            self._neighbours.move_to_end(address)
        while len(self._neighbours) > self._capacity:
            self._neighbours.popitem(last=False)

    @property
    def invalidations(self) -> int:
        """Grows when something is forgotten: what was loaded before that is not to be learned."""
        return self._invalidations

    def store(self, request: ScoreRequest, account: Account, now: datetime, invalidations: int | None = None) -> None:
        """Remember an account that was just loaded for `request`, if it is of a kind that comes again.

        `invalidations` is what the property was before the loading.
        """
        if self._is_counted(request) and request.actor.address is not None:
            self.count({request.actor.address: account.history.accounts_per_address})
        if (
            request.kind is not Kind.ACTION
            or request.action is None
            or invalidations not in (None, self._invalidations)
        ):
            return
        memory = self._memories.get(request.user_id)
        if memory is None or memory.head != account.head:
            memory = self._memories[request.user_id] = _CachedAccount(
                account.profile, account.head, account.hidden, account.history, self._monotonic(), {}, {}
            )
            if len(self._memories) > self._capacity:
                self._memories.popitem(last=False)
        else:
            memory.profile, memory.hidden, memory.history = account.profile, account.hidden, account.history
            memory.loaded_at = self._monotonic()
        self._memories.move_to_end(request.user_id)
        memory.rows[request.category.id] = dict(account.rows)
        memory.activities[request.action.id] = (_counted(request, now), account.activity)

    def apply(self, posting: Posting) -> None:
        """Bring the account of a posting that was committed up to it."""
        entry = posting.transaction
        memory = self._memories.get(entry.user_id)
        if memory is None or memory.head != posting.head or entry.kind not in (Kind.ACTION, Kind.HELD):
            self._memories.pop(entry.user_id, None)
            return
        assert entry.category_id is not None
        assert entry.action_id is not None
        if entry.category_id not in memory.rows or entry.action_id not in memory.activities:
            del self._memories[entry.user_id]
            return
        memory.head = Head(entry.seq, entry.hash)
        memory.rows[entry.category_id].update((one.board, one.row) for one in posting.score_changes)
        counted, before = memory.activities[entry.action_id]
        memory.activities[entry.action_id] = (counted, Activity(entry.created_at, before.done_today + 1, True))
        recent = (Completion(entry.created_at, entry.action_id), *memory.history.recent)[: self._recent]
        suspect = memory.history.is_suspect or posting.suspicion is not None
        memory.history = History(recent, memory.history.accounts_per_address, suspect)
        if entry.token_hash is not None:
            self._consumed[entry.token_hash] = None
            if len(self._consumed) > self._capacity:
                self._consumed.popitem(last=False)

    def invalidate(self, user_id: UUID) -> None:
        """Load this user's account next time."""
        self._invalidations += 1
        self._memories.pop(user_id, None)

    def invalidate_all(self) -> None:
        """Load every account next time."""
        self._invalidations += 1
        self._memories.clear()

    def _is_counted(self, request: ScoreRequest) -> bool:
        """Whether anybody wants to know who else plays from where the claim comes from."""
        return self._recent > 0 and request.kind in PLAYED and is_public(request.actor.address)

    def _counted_neighbours(self, address: str | None) -> int | None:
        at, accounts = self._neighbours.get(address or "", (-inf, 0))
        return accounts if self._monotonic() - at <= FRESH_SECONDS else None


def _counted(request: ScoreRequest, now: datetime) -> tuple[date, int | None]:
    return now.date(), request.action.daily_limit if request.action else None
