"""What is remembered of accounts, for how long, and by whom it is believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from app.domain.ledger.activity import History
from app.domain.ledger.posting import Account, Actor, Claim, Kind
from app.services.ledger.account_cache import CERTAIN, LIFETIME, Accounts
from tests.unit.domain.score_requests import ALICE, LEVEL, NOW, account, action, claim

HOME, CAFE, OFFICE = "93.184.216.34", "151.101.1.69", "10.0.0.7"


class Surroundings:
    """A clock to turn, and ears to close."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.hears = True

    def accounts(self, capacity: int = 10) -> Accounts:
        return Accounts(lambda: self.now, recent=5, capacity=capacity, hears=lambda: self.hears)


@pytest.fixture
def world() -> Surroundings:
    return Surroundings()


def claim_from(address: str | None = None) -> Claim:
    return claim(actor=Actor(ALICE.id, "player", address))


def crowded(neighbours: int) -> Account:
    return account(history=History(neighbours=neighbours))


def claim_of(number: int) -> Claim:
    return replace(claim(), user_id=UUID(int=number))


def test_an_account_is_remembered_for_a_quarter_of_an_hour(world: Surroundings):
    accounts = world.accounts()
    accounts.learn(claim(), account(), NOW)
    world.now += LIFETIME
    assert accounts.recall(claim(), NOW) == account()
    world.now += 1
    assert accounts.recall(claim(), NOW) is None


def test_who_hears_nothing_remembers_for_a_minute(world: Surroundings):
    accounts = world.accounts()
    accounts.learn(claim(), account(), NOW)
    world.hears = False
    world.now += CERTAIN
    assert accounts.recall(claim(), NOW) is not None
    world.now += 1
    assert accounts.recall(claim(), NOW) is None
    world.hears = True
    assert accounts.recall(claim(), NOW) is not None


def test_a_refusal_is_believed_for_a_minute_after_loading(world: Surroundings):
    accounts = world.accounts()
    assert accounts.is_certain(claim())
    accounts.learn(claim(), account(), NOW)
    world.now += CERTAIN
    assert accounts.is_certain(claim())
    world.now += 1
    assert not accounts.is_certain(claim())
    assert accounts.is_certain(claim(kind=Kind.SERVER_ACTION))
    accounts.learn(claim(), account(hidden=True), NOW)
    assert accounts.is_certain(claim())
    assert accounts.recall(claim(), NOW) == account(hidden=True)


def test_neighbours_are_counted_again_every_minute(world: Surroundings):
    accounts = world.accounts()
    here = claim_from(HOME)
    accounts.learn(here, crowded(3), NOW)
    world.now += CERTAIN
    assert accounts.uncounted([here]) == set()
    assert accounts.recall(here, NOW) == crowded(3)
    world.now += 1
    assert accounts.uncounted([here]) == {HOME}
    assert accounts.recall(here, NOW) is None
    accounts.count({HOME: 30})
    assert accounts.recall(here, NOW) == crowded(30)


def test_neighbours_are_those_of_the_address_that_the_claim_comes_from(world: Surroundings):
    accounts = world.accounts()
    accounts.learn(claim_from(HOME), crowded(3), NOW)
    elsewhere = claim_from(CAFE)
    assert accounts.recall(elsewhere, NOW) is None
    assert accounts.uncounted([elsewhere, claim_from(HOME), claim_from(OFFICE), claim_from()]) == {CAFE}
    accounts.count({CAFE: 40})
    assert accounts.recall(elsewhere, NOW) == crowded(40)
    assert accounts.recall(claim_from(HOME), NOW) == crowded(3)


def test_nobody_counts_for_those_who_are_loaded_anyway(world: Surroundings):
    assert world.accounts().uncounted([claim_from(HOME)]) == set()


def test_nobody_counts_on_private_addresses(world: Surroundings):
    accounts = world.accounts()
    accounts.learn(claim_from(OFFICE), account(), NOW)
    world.now += CERTAIN + 1
    assert accounts.uncounted([claim_from(OFFICE)]) == set()
    assert accounts.recall(claim_from(OFFICE), NOW) is not None


def test_what_was_loaded_before_something_was_forgotten_is_not_learned(world: Surroundings):
    accounts = world.accounts()
    before = accounts.forgotten
    accounts.forget(ALICE.id)
    accounts.learn(claim(), account(), NOW, before)
    assert accounts.recall(claim(), NOW) is None
    accounts.learn(claim(), account(), NOW, accounts.forgotten)
    assert accounts.recall(claim(), NOW) is not None


def test_completions_of_today_are_counted_anew_for_another_day_or_limit(world: Surroundings):
    accounts = world.accounts()
    accounts.learn(claim(), account(), NOW)
    assert accounts.recall(claim(), NOW + timedelta(days=1)) is None
    assert accounts.recall(claim(action=action(daily_limit=5)), NOW) is None
    assert accounts.recall(claim(action=replace(LEVEL, points=70)), NOW) is not None


def test_those_who_play_stay_and_those_who_left_go(world: Surroundings):
    accounts = world.accounts(capacity=2)
    for number in (1, 2):
        accounts.learn(claim_of(number), account(), NOW)
    accounts.recall(claim_of(1), NOW)
    accounts.learn(claim_of(3), account(), NOW)
    assert [accounts.recall(claim_of(number), NOW) is not None for number in (1, 2, 3)] == [True, False, True]
