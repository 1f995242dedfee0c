"""Who is charged for views beyond the head, and who is refused or loses some."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.boards.view_cost import lookups
from app.domain.boards.views import Around, CompositeView, Head, Player, Slice, UserSelection
from app.domain.errors import RateLimited
from app.pubsub.feed.view_budget import Owner, ViewBudget, ViewLimits, ViewOwners

BOARD = "global/ALL_TIME"


def selection(first: int, count: int = 10) -> UserSelection:
    return UserSelection(frozenset(UUID(int=number) for number in range(first, first + count)))


class Watchers:
    """Watchers of one budget, by number."""

    def __init__(self, **limits: int) -> None:
        self.budget = ViewBudget(ViewLimits(**limits))
        self.dropped: list[int] = []
        self.owners: dict[int, ViewOwners] = {}

    def add(self, number: int, owner: Owner | ViewOwners, cost: int = 10) -> None:
        owners = owner if isinstance(owner, ViewOwners) else ViewOwners(owner)
        self.owners[number] = owners
        view = selection(1000 * number, cost)
        self.budget.add(owners, BOARD, view, number, lambda _: self.dropped.append(number))

    def remove(self, number: int, cost: int = 10) -> None:
        self.budget.remove(self.owners[number], BOARD, selection(1000 * number, cost), number)


ONE, TWO = Owner("192.0.2.1"), Owner("192.0.2.2")


def test_the_cost_follows_from_the_arguments_alone() -> None:
    everybody = selection(0, 100)
    assert lookups(everybody) == 100
    assert lookups(Player(UUID(int=1))) == 1
    assert lookups(Slice(0, 100)) == lookups(Head()) == 10
    assert lookups(Around(UUID(int=1), 49)) == 11
    assert lookups(CompositeView(Head(), (everybody, everybody))) == 110


def test_a_user_and_an_address_have_limits_of_their_own() -> None:
    watchers = Watchers(max_views_per_user=2, max_views_per_address=3)
    ada, bea = Owner("192.0.2.1", UUID(int=1)), Owner("192.0.2.1", UUID(int=2))
    watchers.add(1, ada)
    watchers.add(2, ada)
    with pytest.raises(RateLimited, match="You watch"):
        watchers.add(3, ada)
    watchers.add(4, bea)
    with pytest.raises(RateLimited, match="your address"):
        watchers.add(5, bea)
    watchers.remove(1)
    watchers.add(6, bea)
    assert watchers.budget.refused == 2


def test_a_whole_site_of_ipv6_addresses_has_a_limit_too() -> None:
    watchers = Watchers(max_views_per_address=2)
    for number in range(8):
        watchers.add(number, Owner(f"2001:db8:1:{number:x}::/64"))
    with pytest.raises(RateLimited):
        watchers.add(9, Owner("2001:db8:1:ff::/64"))
    watchers.add(10, Owner("2001:db8:2:1::/64"))


def test_a_second_watcher_of_one_execution_costs_nothing() -> None:
    watchers = Watchers(max_views_per_address=1)
    owners = ViewOwners(ONE)
    watchers.add(1, owners)
    watchers.budget.add(owners, BOARD, selection(1000), "catch-up", lambda _: None)
    watchers.remove(1)
    assert len(watchers.budget) == 1
    watchers.budget.remove(owners, BOARD, selection(1000), "catch-up")
    assert len(watchers.budget) == 0


def test_on_a_full_board_the_owner_with_the_most_makes_way() -> None:
    watchers = Watchers(max_lookups_per_board=100)
    for number in range(10):
        watchers.add(number, ONE)
    watchers.add(10, TWO, 25)
    assert watchers.dropped == [9, 8, 7]
    assert watchers.budget.lookups(BOARD) == 95
    watchers.add(11, TWO, 20)
    assert watchers.budget.lookups(BOARD) <= 100
    with pytest.raises(RateLimited):
        watchers.add(12, TWO, 50)


def test_the_owner_with_the_most_cannot_displace_others() -> None:
    watchers = Watchers(max_views=10)
    for number in range(9):
        watchers.add(number, ONE)
    watchers.add(9, TWO)
    with pytest.raises(RateLimited):
        watchers.add(10, ONE)
    assert watchers.dropped == []


def test_under_pressure_the_most_expensive_owner_goes_first() -> None:
    watchers = Watchers()
    for number in range(5):
        watchers.add(number, ONE, 100)
    watchers.add(5, TWO, 50)
    watchers.budget.relieve(BOARD)
    assert watchers.dropped == [0, 1, 2, 3, 4]
    watchers.budget.relieve("another/board")
    assert watchers.dropped == [0, 1, 2, 3, 4]


def test_the_next_owner_pays_when_the_payer_has_left() -> None:
    watchers = Watchers(max_views_per_address=1)
    owners = ViewOwners(ONE)
    owners.add(TWO)
    watchers.add(1, owners)
    owners.remove(ONE)
    watchers.add(2, ONE)
    with pytest.raises(RateLimited):
        watchers.add(3, TWO)
    owners.remove(TWO)  # The last one pays until the execution has ended.
    with pytest.raises(RateLimited):
        watchers.add(3, TWO)
    watchers.remove(1)
    watchers.add(3, TWO)


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "remove", "join", "leave", "relieve"]), st.integers(0, 7), st.integers(0, 3)),
        max_size=60,
    )
)
def test_whatever_happens_nothing_is_left_when_all_have_left(steps: list[tuple[str, int, int]]) -> None:
    watchers = Watchers(max_views=6, max_views_per_address=4, max_views_per_user=3, max_lookups_per_board=50)
    people = [Owner("192.0.2.1"), Owner("192.0.2.1", UUID(int=1)), Owner("2001:db8::/64"), Owner("192.0.2.9")]
    members: dict[int, list[Owner]] = {}
    for step, number, person in steps:
        if step == "add" and number not in members:
            try:
                watchers.add(number, people[person])
            except RateLimited:
                continue
            members[number] = [people[person]]
        elif step == "join" and number in members:
            watchers.owners[number].add(people[person])
            members[number].append(people[person])
        elif step == "leave" and number in members and len(members[number]) > 1:
            watchers.owners[number].remove(members[number].pop(0))
        elif step == "remove" and number in members:
            watchers.remove(number)
            del members[number]
        elif step == "relieve":
            watchers.budget.relieve(BOARD)
        assert watchers.budget.lookups(BOARD) <= 50
        assert len(watchers.budget) <= 6
    for number in members:
        watchers.remove(number)
    assert len(watchers.budget) == 0
    assert watchers.budget.lookups(BOARD) == 0
    assert watchers.budget.owners == 0
