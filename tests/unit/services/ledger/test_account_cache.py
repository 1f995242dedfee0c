"""The account cache: which accounts it serves, for how long, and when a refusal may rest on them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from app.domain.ledger.activity import History
from app.domain.ledger.posting import Account, Actor, Kind, ScoreRequest
from app.runtime import Runtime
from app.services.ledger.account_cache import FRESH_SECONDS, LIFETIME_SECONDS, AccountCache
from tests.unit.domain.score_requests import ALICE, LEVEL, NOW, account, action, request

FIRST, SECOND, PRIVATE = "93.184.216.34", "151.101.1.69", "10.0.0.7"


class CacheFixture:
    """A cache with a manual clock, whose process may stop receiving notices."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.has_notices = True

    def account_cache(self, capacity: int = 10) -> AccountCache:
        runtime = Runtime(monotonic=lambda: self.now)
        return AccountCache(runtime, max_history=5, capacity=capacity, has_notices=lambda: self.has_notices)


@pytest.fixture
def fixture() -> CacheFixture:
    return CacheFixture()


def request_from(address: str | None = None) -> ScoreRequest:
    return request(actor=Actor(ALICE.id, "player", address))


def on_address(accounts_per_address: int) -> Account:
    return account(history=History(accounts_per_address=accounts_per_address))


def request_of(number: int) -> ScoreRequest:
    return replace(request(), user_id=UUID(int=number))


def test_an_account_is_cached_for_a_quarter_of_an_hour(fixture: CacheFixture):
    account_cache = fixture.account_cache()
    account_cache.store(request(), account(), NOW)
    fixture.now += LIFETIME_SECONDS
    assert account_cache.get(request(), NOW) == account()
    fixture.now += 1
    assert account_cache.get(request(), NOW) is None


def test_a_process_without_notices_caches_accounts_for_a_minute(fixture: CacheFixture):
    account_cache = fixture.account_cache()
    account_cache.store(request(), account(), NOW)
    fixture.has_notices = False
    fixture.now += FRESH_SECONDS
    assert account_cache.get(request(), NOW) is not None
    fixture.now += 1
    assert account_cache.get(request(), NOW) is None
    fixture.has_notices = True
    assert account_cache.get(request(), NOW) is not None


def test_a_refusal_may_rest_on_an_account_for_a_minute_after_its_loading(fixture: CacheFixture):
    account_cache = fixture.account_cache()
    assert account_cache.is_fresh(request())
    account_cache.store(request(), account(), NOW)
    fixture.now += FRESH_SECONDS
    assert account_cache.is_fresh(request())
    fixture.now += 1
    assert not account_cache.is_fresh(request())
    assert account_cache.is_fresh(request(kind=Kind.SERVER_ACTION))
    account_cache.store(request(), account(hidden=True), NOW)
    assert account_cache.is_fresh(request())
    assert account_cache.get(request(), NOW) == account(hidden=True)


def test_accounts_on_an_address_are_counted_again_every_minute(fixture: CacheFixture):
    account_cache = fixture.account_cache()
    here = request_from(FIRST)
    account_cache.store(here, on_address(3), NOW)
    fixture.now += FRESH_SECONDS
    assert account_cache.addresses_to_count([here]) == set()
    assert account_cache.get(here, NOW) == on_address(3)
    fixture.now += 1
    assert account_cache.addresses_to_count([here]) == {FIRST}
    assert account_cache.get(here, NOW) is None
    account_cache.set_accounts_per_address({FIRST: 30})
    assert account_cache.get(here, NOW) == on_address(30)


def test_accounts_are_those_on_the_address_of_the_request(fixture: CacheFixture):
    account_cache = fixture.account_cache()
    account_cache.store(request_from(FIRST), on_address(3), NOW)
    elsewhere = request_from(SECOND)
    assert account_cache.get(elsewhere, NOW) is None
    assert account_cache.addresses_to_count(
        [elsewhere, request_from(FIRST), request_from(PRIVATE), request_from()]
    ) == {SECOND}
    account_cache.set_accounts_per_address({SECOND: 40})
    assert account_cache.get(elsewhere, NOW) == on_address(40)
    assert account_cache.get(request_from(FIRST), NOW) == on_address(3)


def test_no_address_is_counted_for_accounts_that_are_loaded_anyway(fixture: CacheFixture):
    assert fixture.account_cache().addresses_to_count([request_from(FIRST)]) == set()


def test_no_private_address_is_counted(fixture: CacheFixture):
    account_cache = fixture.account_cache()
    account_cache.store(request_from(PRIVATE), account(), NOW)
    fixture.now += FRESH_SECONDS + 1
    assert account_cache.addresses_to_count([request_from(PRIVATE)]) == set()
    assert account_cache.get(request_from(PRIVATE), NOW) is not None


def test_an_account_that_was_loaded_before_an_invalidation_is_not_stored(fixture: CacheFixture):
    account_cache = fixture.account_cache()
    before = account_cache.invalidations
    account_cache.invalidate(ALICE.id)
    account_cache.store(request(), account(), NOW, before)
    assert account_cache.get(request(), NOW) is None
    account_cache.store(request(), account(), NOW, account_cache.invalidations)
    assert account_cache.get(request(), NOW) is not None


def test_completions_of_today_are_counted_anew_for_another_day_or_limit(fixture: CacheFixture):
    account_cache = fixture.account_cache()
    account_cache.store(request(), account(), NOW)
    assert account_cache.get(request(), NOW + timedelta(days=1)) is None
    assert account_cache.get(request(action=action(daily_limit=5)), NOW) is None
    assert account_cache.get(request(action=replace(LEVEL, points=70)), NOW) is not None


def test_the_least_recently_used_account_is_evicted(fixture: CacheFixture):
    account_cache = fixture.account_cache(capacity=2)
    for number in (1, 2):
        account_cache.store(request_of(number), account(), NOW)
    account_cache.get(request_of(1), NOW)
    account_cache.store(request_of(3), account(), NOW)
    assert [account_cache.get(request_of(number), NOW) is not None for number in (1, 2, 3)] == [True, False, True]
