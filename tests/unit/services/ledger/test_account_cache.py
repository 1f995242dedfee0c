"""What is remembered of accounts, for how long, and by whom it is believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from app.domain.ledger.activity import History
from app.domain.ledger.posting import Account, Actor, Kind, ScoreRequest
from app.services.ledger.account_cache import FRESH_SECONDS, LIFETIME_SECONDS, AccountCache
from tests.unit.domain.score_requests import ALICE, LEVEL, NOW, account, action, request

HOME, CAFE, OFFICE = "93.184.216.34", "151.101.1.69", "10.0.0.7"


class VerifierContext:
    """A clock to turn, and ears to close."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.has_notices = True

    def account_cache(self, capacity: int = 10) -> AccountCache:
        return AccountCache(lambda: self.now, max_history=5, capacity=capacity, has_notices=lambda: self.has_notices)


@pytest.fixture
def world() -> VerifierContext:
    return VerifierContext()


def claim_from(address: str | None = None) -> ScoreRequest:
    return request(actor=Actor(ALICE.id, "player", address))


def crowded(accounts_per_address: int) -> Account:
    return account(history=History(accounts_per_address=accounts_per_address))


def claim_of(number: int) -> ScoreRequest:
    return replace(request(), user_id=UUID(int=number))


def test_an_account_is_remembered_for_a_quarter_of_an_hour(world: VerifierContext):
    account_cache = world.account_cache()
    account_cache.store(request(), account(), NOW)
    world.now += LIFETIME_SECONDS
    assert account_cache.get(request(), NOW) == account()
    world.now += 1
    assert account_cache.get(request(), NOW) is None


def test_who_hears_nothing_remembers_for_a_minute(world: VerifierContext):
    account_cache = world.account_cache()
    account_cache.store(request(), account(), NOW)
    world.has_notices = False
    world.now += FRESH_SECONDS
    assert account_cache.get(request(), NOW) is not None
    world.now += 1
    assert account_cache.get(request(), NOW) is None
    world.has_notices = True
    assert account_cache.get(request(), NOW) is not None


def test_a_refusal_is_believed_for_a_minute_after_loading(world: VerifierContext):
    account_cache = world.account_cache()
    assert account_cache.is_fresh(request())
    account_cache.store(request(), account(), NOW)
    world.now += FRESH_SECONDS
    assert account_cache.is_fresh(request())
    world.now += 1
    assert not account_cache.is_fresh(request())
    assert account_cache.is_fresh(request(kind=Kind.SERVER_ACTION))
    account_cache.store(request(), account(hidden=True), NOW)
    assert account_cache.is_fresh(request())
    assert account_cache.get(request(), NOW) == account(hidden=True)


def test_neighbours_are_counted_again_every_minute(world: VerifierContext):
    account_cache = world.account_cache()
    here = claim_from(HOME)
    account_cache.store(here, crowded(3), NOW)
    world.now += FRESH_SECONDS
    assert account_cache.addresses_to_count([here]) == set()
    assert account_cache.get(here, NOW) == crowded(3)
    world.now += 1
    assert account_cache.addresses_to_count([here]) == {HOME}
    assert account_cache.get(here, NOW) is None
    account_cache.set_accounts_per_address({HOME: 30})
    assert account_cache.get(here, NOW) == crowded(30)


def test_neighbours_are_those_of_the_address_that_the_claim_comes_from(world: VerifierContext):
    account_cache = world.account_cache()
    account_cache.store(claim_from(HOME), crowded(3), NOW)
    elsewhere = claim_from(CAFE)
    assert account_cache.get(elsewhere, NOW) is None
    assert account_cache.addresses_to_count([elsewhere, claim_from(HOME), claim_from(OFFICE), claim_from()]) == {CAFE}
    account_cache.set_accounts_per_address({CAFE: 40})
    assert account_cache.get(elsewhere, NOW) == crowded(40)
    assert account_cache.get(claim_from(HOME), NOW) == crowded(3)


def test_nobody_counts_for_those_who_are_loaded_anyway(world: VerifierContext):
    assert world.account_cache().addresses_to_count([claim_from(HOME)]) == set()


def test_nobody_counts_on_private_addresses(world: VerifierContext):
    account_cache = world.account_cache()
    account_cache.store(claim_from(OFFICE), account(), NOW)
    world.now += FRESH_SECONDS + 1
    assert account_cache.addresses_to_count([claim_from(OFFICE)]) == set()
    assert account_cache.get(claim_from(OFFICE), NOW) is not None


def test_what_was_loaded_before_something_was_forgotten_is_not_learned(world: VerifierContext):
    account_cache = world.account_cache()
    before = account_cache.invalidations
    account_cache.invalidate(ALICE.id)
    account_cache.store(request(), account(), NOW, before)
    assert account_cache.get(request(), NOW) is None
    account_cache.store(request(), account(), NOW, account_cache.invalidations)
    assert account_cache.get(request(), NOW) is not None


def test_completions_of_today_are_counted_anew_for_another_day_or_limit(world: VerifierContext):
    account_cache = world.account_cache()
    account_cache.store(request(), account(), NOW)
    assert account_cache.get(request(), NOW + timedelta(days=1)) is None
    assert account_cache.get(request(action=action(daily_limit=5)), NOW) is None
    assert account_cache.get(request(action=replace(LEVEL, points=70)), NOW) is not None


def test_those_who_play_stay_and_those_who_left_go(world: VerifierContext):
    account_cache = world.account_cache(capacity=2)
    for number in (1, 2):
        account_cache.store(claim_of(number), account(), NOW)
    account_cache.get(claim_of(1), NOW)
    account_cache.store(claim_of(3), account(), NOW)
    assert [account_cache.get(claim_of(number), NOW) is not None for number in (1, 2, 3)] == [True, False, True]
