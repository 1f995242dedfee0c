"""The budget of views beyond the head: how many a process reads, and for whom.

Everybody shares the head of a board, however many watch it. Every other view is read for those who asked for it, so
each is charged to an owner: the user, and the address, of the first subscriber of its execution. An owner who has too
many gets an error. When a board or the process has too many, the owner with the most loses views before anybody else
is refused, so that nobody can take the places of the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from app.domain.boards.view_cost import lookups_beyond_head
from app.domain.boards.views import View
from app.domain.counts_per_address import AddressCounts
from app.domain.errors import RateLimited

RETRY_SECONDS = 30
"""When a watcher without a place may try again."""

Drop = Callable[[Exception], None]
"""Ends a watcher with an error."""


@dataclass(frozen=True, slots=True)
class ViewLimits:
    """The limits of one process.

    Attributes:
        max_views: Views beyond the head, of all boards and owners.
        max_views_per_address: Views of one client address.
        max_views_per_user: Views of one authenticated user.
        max_lookups_per_board: The cost of all views of one board together, see `lookups_beyond_head`.
    """

    max_views: int = 20_000
    max_views_per_address: int = 1000
    max_views_per_user: int = 60
    max_lookups_per_board: int = 20_000


class Owner(NamedTuple):
    """Whom a view is charged to."""

    address: str = ""
    user_id: UUID | None = None

    @property
    def account(self) -> UUID | str:
        """The user, else the address: whose costs are added up."""
        return self.address if self.user_id is None else self.user_id


NO_OWNER = Owner()


class ViewOwners:
    """The owners of one execution, which several subscribers may share. The first of them pays.

    When the payer leaves, the next one pays, so that nobody pays for what only others watch.
    """

    def __init__(self, *owners: Owner) -> None:
        self._subscribers: Counter[Owner] = Counter(owners)
        self._charges: set[Charge] = set()

    @property
    def payer(self) -> Owner:
        """The owner who pays."""
        return next(iter(self._subscribers), NO_OWNER)

    def add(self, owner: Owner) -> None:
        """Add a subscriber of `owner`."""
        self._subscribers[owner] += 1

    def remove(self, owner: Owner) -> None:
        """Remove a subscriber of `owner`; the last owner pays until the execution has ended."""
        self._subscribers[owner] -= 1
        if self._subscribers[owner] > 0 or len(self._subscribers) == 1:
            return
        del self._subscribers[owner]
        for charge in self._charges:
            if charge.payer == owner:
                charge.transfer(charge, self.payer)

    def attach(self, charge: Charge) -> None:
        """Have `charge` follow the payer."""
        self._charges.add(charge)

    def detach(self, charge: Charge) -> None:
        """Undo `attach`."""
        self._charges.discard(charge)


@dataclass(eq=False, slots=True)
class Charge:
    """One view of one execution, and its watchers: more than one while a late subscriber gets its snapshot."""

    owners: ViewOwners
    board: str
    view: View[Any]
    cost: int
    payer: Owner
    transfer: Callable[[Charge, Owner], None]
    watchers: dict[object, Drop] = field(default_factory=dict)


class ViewBudget:
    """Who watches which views beyond the head of any board of this process."""

    def __init__(self, limits: ViewLimits | None = None) -> None:
        self.limits = limits or ViewLimits()
        self.refused = 0
        """Watchers that were refused."""
        self.dropped = 0
        """Watchers that were ended."""
        self._charges: dict[tuple[ViewOwners, str, View[Any]], Charge] = {}
        self._by_board: dict[str, dict[Charge, None]] = {}
        self._lookups: Counter[str] = Counter()
        self._addresses = AddressCounts(self.limits.max_views_per_address)
        self._users: Counter[UUID] = Counter()

    def __len__(self) -> int:
        """Return how many views are charged."""
        return len(self._charges)

    @property
    def owners(self) -> int:
        """The number of addresses and users with views."""
        return len(self._addresses) + len(self._users)

    def lookups(self, board: str) -> int:
        """Return the cost of all views of a board."""
        return self._lookups[board]

    def add(self, owners: ViewOwners, board: str, view: View[Any], watcher: object, drop: Drop) -> None:
        """Charge a watcher of `view` to its owners. A second watcher of the same execution costs nothing.

        Args:
            owners: The owners of the execution.
            board: The key of the board.
            view: A view beyond the head.
            watcher: Identifies the watcher in `remove`.
            drop: Is called to end the watcher when its place is needed.

        Raises:
            RateLimited: The owner has too many views, or there is no room for another one.
        """
        charge = self._charges.get((owners, board, view))
        if charge is None:
            charge = Charge(owners, board, view, lookups_beyond_head(view), owners.payer, self._transfer)
            self._check_owner(charge.payer)
            self._evict_for(charge, self._charges.values(), len(self), self.limits.max_views, lambda _: 1)
            on_board, max_lookups = self._by_board.get(board, ()), self.limits.max_lookups_per_board
            self._evict_for(charge, on_board, self._lookups[board], max_lookups, lambda one: one.cost)
            self._count(charge)
        charge.watchers[watcher] = drop

    def remove(self, owners: ViewOwners, board: str, view: View[Any], watcher: object) -> None:
        """Remove a watcher, which may have been dropped."""
        charge = self._charges.get((owners, board, view))
        if charge is not None and charge.watchers.pop(watcher, None) is not None and not charge.watchers:
            self._release(charge)

    def relieve(self, board: str, share: float = 0.25) -> None:
        """Drop at least a `share` of the cost of a board's views, those of the most expensive owners first."""
        target = self._lookups[board] * (1 - share)
        while self._lookups[board] > target:
            charges = list(self._by_board[board])
            ((account, _),) = _costs(charges, lambda one: one.cost).most_common(1)
            for charge in charges:
                if charge.payer.account == account:
                    self._drop(charge)

    def _check_owner(self, owner: Owner) -> None:
        if owner.user_id is not None and self._users[owner.user_id] >= self.limits.max_views_per_user:
            self._refuse("You watch too many views of boards.")
        if self._addresses.is_full(owner.address):
            self._refuse("Too many views of boards are watched from your address.")

    def _evict_for(
        self, charge: Charge, others: Iterable[Charge], used: int, limit: int, weight: Callable[[Charge], int]
    ) -> None:
        """Drop the newest views of owners who have more than the owner of `charge` would have, until it fits.

        Raises:
            RateLimited: It does not fit, and nobody has more.
        """
        excess = used + weight(charge) - limit
        if excess <= 0:
            return
        newest_first = list(others)[::-1]
        costs = _costs(newest_first, weight)
        own = costs[charge.payer.account] + weight(charge)
        dropped = []
        for other in sorted(newest_first, key=lambda one: -costs[one.payer.account]):
            if excess <= 0 or costs[other.payer.account] <= own:
                break
            excess -= weight(other)
            dropped.append(other)
        if excess > 0:
            self._refuse("Too many views of boards are watched at the moment.")
        for other in dropped:
            self._drop(other)

    def _refuse(self, message: str) -> None:
        self.refused += 1
        raise RateLimited(RETRY_SECONDS, message)

    def _drop(self, charge: Charge) -> None:
        watchers, charge.watchers = charge.watchers, {}
        self._release(charge)
        for drop in watchers.values():
            self.dropped += 1
            drop(RateLimited(RETRY_SECONDS, "This view was ended in favour of less expensive ones."))

    def _count(self, charge: Charge) -> None:
        self._charges[charge.owners, charge.board, charge.view] = charge
        self._by_board.setdefault(charge.board, {})[charge] = None
        self._lookups[charge.board] += charge.cost
        self._count_for(charge.payer, 1)
        charge.owners.attach(charge)

    def _release(self, charge: Charge) -> None:
        del self._charges[charge.owners, charge.board, charge.view]
        on_board = self._by_board[charge.board]
        del on_board[charge]
        self._lookups[charge.board] -= charge.cost
        if not on_board:
            del self._by_board[charge.board], self._lookups[charge.board]
        self._count_for(charge.payer, -1)
        charge.owners.detach(charge)

    def _transfer(self, charge: Charge, owner: Owner) -> None:
        self._count_for(charge.payer, -1)
        charge.payer = owner
        self._count_for(owner, 1)

    def _count_for(self, owner: Owner, change: int) -> None:
        if change > 0:
            self._addresses.add(owner.address)
        else:
            self._addresses.remove(owner.address)
        if owner.user_id is not None:
            self._users[owner.user_id] += change
            if not self._users[owner.user_id]:
                del self._users[owner.user_id]


def _costs(charges: Iterable[Charge], weight: Callable[[Charge], int]) -> Counter[UUID | str]:
    """Return what each owner has in all."""
    costs: Counter[UUID | str] = Counter()
    for charge in charges:
        costs[charge.payer.account] += weight(charge)
    return costs
