"""Accounts that this process has just written: their state is known, and need not be loaded again.

What is remembered may be out of date, because other processes write too. That does no harm: a posting is stored only
if the user's chain still ends where the account says, so at worst it is computed twice.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from app.domain.boards import Board
from app.domain.history import Completion, History
from app.domain.ledger import Account, Activity, Claim, Head, Posting
from app.domain.scoring import ScoreRow
from app.domain.transactions import Kind
from app.domain.users import Profile

LIFETIME = 60.0
"""Seconds for which an account is remembered after it was loaded: what no chain tells may have changed by then."""


@dataclass(slots=True)
class _Memory:
    profile: Profile
    head: Head
    hidden: bool
    history: History
    loaded_at: float
    rows: dict[str, dict[Board, ScoreRow]]
    """By category; a category that is missing was never loaded."""
    activities: dict[str, tuple[date, Activity]]
    """By action, with the UTC day that `done_today` is about."""


class Accounts:
    """Remembers accounts by user. The ones used least recently are forgotten first."""

    def __init__(self, monotonic: Callable[[], float], *, recent: int, capacity: int = 20_000) -> None:
        """`recent`: how many completions of a player's history are kept."""
        self.hits = 0
        self.misses = 0
        self._monotonic = monotonic
        self._recent = recent
        self._capacity = capacity
        self._memories: OrderedDict[UUID, _Memory] = OrderedDict()
        self._consumed: OrderedDict[bytes, None] = OrderedDict()

    def recall(self, claim: Claim, now: datetime) -> Account | None:
        """The account that `claim` is to be judged by, or None when it must be loaded.

        Only submissions of action tokens are answered from memory, and no repeats of those: the database alone knows
        the first receipt.
        """
        account = self._recall(claim, now)
        if account is None:
            self.misses += 1
        else:
            self.hits += 1
        return account

    def _recall(self, claim: Claim, now: datetime) -> Account | None:
        memory = self._memories.get(claim.user_id)
        if memory is None or claim.kind is not Kind.ACTION or claim.token_hash in self._consumed:
            return None
        if self._monotonic() - memory.loaded_at > LIFETIME:
            return None
        rows = memory.rows.get(claim.category.id)
        day, activity = memory.activities.get(claim.action.id if claim.action else "", (None, None))
        if rows is None or activity is None or day != now.date():
            return None
        return Account(memory.profile, memory.head, rows, activity, memory.history, memory.hidden)

    def learn(self, claim: Claim, account: Account, now: datetime) -> None:
        """Remember an account that was just loaded for `claim`, if it is of a kind that comes again."""
        if claim.kind is not Kind.ACTION or claim.action is None:
            return
        memory = self._memories.get(claim.user_id)
        if memory is None or memory.head != account.head:
            memory = self._memories[claim.user_id] = _Memory(
                account.profile, account.head, account.hidden, account.history, self._monotonic(), {}, {}
            )
            if len(self._memories) > self._capacity:
                self._memories.popitem(last=False)
        self._memories.move_to_end(claim.user_id)
        memory.rows[claim.category.id] = dict(account.rows)
        memory.activities[claim.action.id] = (now.date(), account.activity)

    def advance(self, posting: Posting) -> None:
        """Bring the account of a posting that was committed up to it."""
        entry = posting.transaction
        memory = self._memories.get(entry.user_id)
        if memory is None or memory.head != posting.head or entry.kind not in (Kind.ACTION, Kind.HELD):
            self.forget(entry.user_id)
            return
        assert entry.category_id is not None
        assert entry.action_id is not None
        if entry.category_id not in memory.rows or entry.action_id not in memory.activities:
            self.forget(entry.user_id)
            return
        memory.head = Head(entry.seq, entry.hash)
        memory.rows[entry.category_id].update((one.board, one.row) for one in posting.standings)
        day, before = memory.activities[entry.action_id]
        memory.activities[entry.action_id] = (day, Activity(entry.created_at, before.done_today + 1, True))
        recent = (Completion(entry.created_at, entry.action_id), *memory.history.recent)[: self._recent]
        suspect = memory.history.is_suspect or posting.suspicion is not None
        memory.history = replace(memory.history, recent=recent, is_suspect=suspect)
        if entry.token_hash is not None:
            self._consumed[entry.token_hash] = None
            if len(self._consumed) > self._capacity:
                self._consumed.popitem(last=False)

    def forget(self, user_id: UUID) -> None:
        """Load this user's account next time."""
        self._memories.pop(user_id, None)

    def forget_all(self) -> None:
        """Load every account next time."""
        self._memories.clear()
