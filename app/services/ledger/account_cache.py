"""Accounts that this process has just written: their state is known, and need not be loaded again.

What is remembered may be out of date, because other processes write too. That does no harm. What the chain tells,
which are scores, completions, held ones, and whether the user is hidden or deleted: a posting is stored only if the
chain still ends where the account says, so at worst it is computed twice. A refusal is stored nowhere; the ledger
believes only one by an account that is `is_certain`. What no chain tells:

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
from app.domain.ledger.posting import Account, Activity, Claim, Head, Posting
from app.domain.ledger.scoring import ScoreRow
from app.domain.ledger.transactions import PLAYED, Kind
from app.domain.rules.fraud import is_public
from app.domain.users import Profile

LIFETIME = 900.0
"""Seconds for which an account is remembered after it was loaded, whatever was heard of it since."""

CERTAIN = 60.0
"""Seconds for which what is remembered is a reason to refuse; a process that hears nothing remembers no longer."""


@dataclass(slots=True)
class _Memory:
    profile: Profile
    head: Head
    hidden: bool
    history: History
    loaded_at: float
    rows: dict[str, dict[Board, ScoreRow]]
    """By category; a category that is missing was never loaded."""
    activities: dict[str, tuple[tuple[date, int | None], Activity]]
    """By action, with the UTC day that `done_today` is about, and the limit up to which it was counted."""


class Accounts:
    """Remembers accounts by user. The ones used least recently are forgotten first."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        recent: int,
        capacity: int = 20_000,
        hears: Callable[[], bool] = lambda: True,
    ) -> None:
        """`recent`: how many completions of a player's history are kept. `hears`: whether notices arrive here."""
        self.hits = 0
        self.misses = 0
        self._monotonic = monotonic
        self._recent = recent
        self._capacity = capacity
        self._memories: OrderedDict[UUID, _Memory] = OrderedDict()
        self._consumed: OrderedDict[bytes, None] = OrderedDict()
        self._neighbours: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._hears = hears
        self._forgotten = 0

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
        if self._monotonic() - memory.loaded_at > (LIFETIME if self._hears() else CERTAIN):
            return None
        assert claim.action is not None
        rows = memory.rows.get(claim.category.id)
        counted, activity = memory.activities.get(claim.action.id, (None, None))
        if rows is None or activity is None or counted != _counted(claim, now):
            return None
        history = memory.history
        if self._is_counted(claim):
            neighbours = self._counted_neighbours(claim.actor.address)
            if neighbours is None:
                return None
            if neighbours != history.neighbours:
                history = replace(history, neighbours=neighbours)
        self._memories.move_to_end(claim.user_id)
        return Account(memory.profile, memory.head, rows, activity, history, memory.hidden)

    def is_certain(self, claim: Claim) -> bool:
        """Whether `claim` may be refused by what was recalled for it: that was loaded a moment ago, if anything was."""
        memory = self._memories.get(claim.user_id) if claim.kind is Kind.ACTION else None
        return memory is None or self._monotonic() - memory.loaded_at <= CERTAIN

    def uncounted(self, claims: Iterable[Claim]) -> set[str]:
        """Addresses on which accounts are to be counted, so that `recall` has an answer for those it remembers."""
        return {
            claim.actor.address
            for claim in claims
            if claim.actor.address is not None
            and claim.kind is Kind.ACTION
            and claim.user_id in self._memories
            and self._is_counted(claim)
            and self._counted_neighbours(claim.actor.address) is None
        }

    def count(self, neighbours: Mapping[str, int]) -> None:
        """Remember how many accounts were just counted on each address."""
        now = self._monotonic()
        for address, accounts in neighbours.items():
            self._neighbours[address] = (now, accounts)
            self._neighbours.move_to_end(address)
        while len(self._neighbours) > self._capacity:
            self._neighbours.popitem(last=False)

    @property
    def forgotten(self) -> int:
        """Grows when something is forgotten: what was loaded before that is not to be learned."""
        return self._forgotten

    def learn(self, claim: Claim, account: Account, now: datetime, forgotten: int | None = None) -> None:
        """Remember an account that was just loaded for `claim`, if it is of a kind that comes again.

        `forgotten` is what the property was before the loading.
        """
        if self._is_counted(claim) and claim.actor.address is not None:
            self.count({claim.actor.address: account.history.neighbours})
        if claim.kind is not Kind.ACTION or claim.action is None or forgotten not in (None, self._forgotten):
            return
        memory = self._memories.get(claim.user_id)
        if memory is None or memory.head != account.head:
            memory = self._memories[claim.user_id] = _Memory(
                account.profile, account.head, account.hidden, account.history, self._monotonic(), {}, {}
            )
            if len(self._memories) > self._capacity:
                self._memories.popitem(last=False)
        else:
            memory.profile, memory.hidden, memory.history = account.profile, account.hidden, account.history
            memory.loaded_at = self._monotonic()
        self._memories.move_to_end(claim.user_id)
        memory.rows[claim.category.id] = dict(account.rows)
        memory.activities[claim.action.id] = (_counted(claim, now), account.activity)

    def advance(self, posting: Posting) -> None:
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
        memory.rows[entry.category_id].update((one.board, one.row) for one in posting.standings)
        counted, before = memory.activities[entry.action_id]
        memory.activities[entry.action_id] = (counted, Activity(entry.created_at, before.done_today + 1, True))
        recent = (Completion(entry.created_at, entry.action_id), *memory.history.recent)[: self._recent]
        suspect = memory.history.is_suspect or posting.suspicion is not None
        memory.history = History(recent, memory.history.neighbours, suspect)
        if entry.token_hash is not None:
            self._consumed[entry.token_hash] = None
            if len(self._consumed) > self._capacity:
                self._consumed.popitem(last=False)

    def forget(self, user_id: UUID) -> None:
        """Load this user's account next time."""
        self._forgotten += 1
        self._memories.pop(user_id, None)

    def forget_all(self) -> None:
        """Load every account next time."""
        self._forgotten += 1
        self._memories.clear()

    def _is_counted(self, claim: Claim) -> bool:
        """Whether anybody wants to know who else plays from where the claim comes from."""
        return self._recent > 0 and claim.kind in PLAYED and is_public(claim.actor.address)

    def _counted_neighbours(self, address: str | None) -> int | None:
        at, accounts = self._neighbours.get(address or "", (-inf, 0))
        return accounts if self._monotonic() - at <= CERTAIN else None


def _counted(claim: Claim, now: datetime) -> tuple[date, int | None]:
    return now.date(), claim.action.daily_limit if claim.action else None
