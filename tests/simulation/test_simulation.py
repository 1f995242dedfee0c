"""Ledger and hub on models of the stores: in whatever order things happen, what must hold holds.

`SIMULATION_SEED=<seed> pytest tests/simulation` repeats one seed, and prints what happened if it fails;
`SIMULATION_SEEDS=100000` tries more seeds than the default.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any

import pytest

from app.domain.errors import ServiceUnavailable
from app.domain.ledger.posting import Posting
from app.domain.ledger.receipts import Receipt
from app.pubsub.feed.feed import Feed
from app.pubsub.feed.mailboxes import LatestValue
from app.pubsub.feed.version_tracker import VersionTracker
from app.services.board_index.missed_writes import MissedWrites
from app.services.ledger.account_cache import AccountCache
from app.services.ledger.post import Ledger
from app.services.ledger.store import PostingStore
from app.stores.batching import Batcher
from tests.simulation.event_loop import NothingLeftToDo, simulate
from tests.simulation.model_postgres import BOUNDARY, ModelPostgres
from tests.simulation.scenario import run_scenario

GIVEN = os.environ.get("SIMULATION_SEED")
SEEDS = int(os.environ.get("SIMULATION_SEEDS", "1000"))
GROUP = 50
MAX_MUTATION_SEEDS = 200


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, function in BOUNDARY.items():
        monkeypatch.setattr(name, function)


@pytest.mark.parametrize("first", [int(GIVEN)] if GIVEN else range(0, SEEDS, GROUP))
def test_nothing_that_must_hold_is_violated(first: int):
    for seed in [first] if GIVEN else range(first, first + GROUP):
        outcome = run_scenario(seed)
        if outcome.violations:
            lines = [*(outcome.trace if GIVEN else ()), *outcome.violations]
            pytest.fail("\n".join([f"repeat it with SIMULATION_SEED={seed} pytest tests/simulation", *lines]))


def test_what_redis_misses_is_repaired_by_the_process_that_knows():
    assert first_seed_that_fails(range(50), postgres_fails=False, repairs=False) is None


def test_a_seed_repeats_the_same_events_at_the_same_times():
    for seed in range(5):
        first, second = run_scenario(seed), run_scenario(seed)
        assert first.trace == second.trace
        assert first.transactions == second.transactions > 0


def test_seeds_differ():
    assert run_scenario(1).trace != run_scenario(2).trace


def test_who_waits_for_ever_is_found():
    with pytest.raises(NothingLeftToDo):
        simulate(lambda: asyncio.Event().wait(), Random(1))


def test_simulated_time_passes_at_once_and_timers_fire_in_their_order():
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        times: list[float] = []

        async def wait(seconds: float) -> None:
            await asyncio.sleep(seconds)
            times.append(round(loop.time(), 3))

        await asyncio.gather(*(wait(seconds) for seconds in (5000, 1, 60)))
        return times

    assert simulate(main, Random(1)) == [1, 60, 5000]


# --- What is broken on purpose is found by some seed.

Break = Callable[[pytest.MonkeyPatch], None]
MUTATIONS: dict[str, Break] = {}


def mutation(function: Break) -> Break:
    MUTATIONS[function.__name__.replace("_", " ")] = function
    return function


@mutation
def a_lost_answer_counts_as_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    store = PostingStore.store

    async def believe(self: PostingStore, postings: Sequence[Posting]) -> None:
        try:
            await store(self, postings)
        except ServiceUnavailable:
            return

    monkeypatch.setattr(PostingStore, "store", believe)


@mutation
def postings_are_stored_without_checking_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelPostgres, "check", lambda self, postings: None)


@mutation
def a_cached_account_does_not_count_what_it_has_posted(monkeypatch: pytest.MonkeyPatch) -> None:
    apply = AccountCache.apply

    def forgetful(self: AccountCache, posting: Posting) -> None:
        apply(self, posting)
        cached = self._accounts.get(posting.transaction.user_id)
        if cached is not None:
            for action, (key, activity) in cached.activities.items():
                cached.activities[action] = (key, replace(activity, done_today=0))

    monkeypatch.setattr(AccountCache, "apply", forgetful)


@mutation
def a_cached_account_forgets_completions_of_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    # The head is right and what belongs to it is not: as after a lost COMMIT whose account is kept and only moved on.
    store = AccountCache.store

    def keep(self: AccountCache, request: Any, account: Any, now: datetime, invalidations: int | None = None) -> None:
        cached = self._accounts.get(request.user_id)
        if cached is not None and request.action is not None and request.action.id in cached.activities:
            account = replace(account, activity=cached.activities[request.action.id][1])
        store(self, request, account, now, invalidations)

    monkeypatch.setattr(AccountCache, "store", keep)
    monkeypatch.setattr(AccountCache, "invalidate", lambda self, user_id: None)


@mutation
def a_batch_that_fails_keeps_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Batcher._process

    async def keep(self: Batcher[Any, Any], batch: list[Any]) -> None:
        await process(self, batch)
        for one in batch:
            if one.key is not None and one.future.done() and not one.future.cancelled() and one.future.exception():
                self._held.setdefault(one.key, deque())

    monkeypatch.setattr(Batcher, "_process", keep)


@mutation
def a_receipt_shows_the_score_of_another_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = Posting.receipt

    def shifted(self: Posting, previous_rank: int | None = None, current_rank: int | None = None) -> Receipt:
        made = receipt(self, previous_rank, current_rank)
        return replace(made, new_score=made.new_score + 1) if made.previous_score else made

    monkeypatch.setattr(Posting, "receipt", shifted)


@mutation
def a_feed_does_not_compare_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    admit = VersionTracker.admit

    def always(self: VersionTracker, version: Any) -> bool:
        admit(self, version)
        return True

    monkeypatch.setattr(VersionTracker, "admit", always)


@mutation
def a_mailbox_keeps_the_older_state(monkeypatch: pytest.MonkeyPatch) -> None:
    put = LatestValue.put

    def keep(self: LatestValue[Any], state: Any) -> None:
        if not self._full:
            put(self, state)

    monkeypatch.setattr(LatestValue, "put", keep)


@mutation
def a_feed_hears_of_no_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def believe(self: Feed) -> bool:
        return self._subscribers.head is not None

    monkeypatch.setattr(Feed, "notify_changed", lambda self, version, **_: None)
    monkeypatch.setattr(Feed, "_is_unchanged", believe)


@mutation
def a_full_batch_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = Ledger._commit

    async def lose(self: Ledger, batch: Sequence[Any]) -> Any:
        results = list(await commit(self, batch))
        return [asyncio.get_running_loop().create_future() if len(results) == 3 else one for one in results]

    monkeypatch.setattr(Ledger, "_commit", lose)


def first_seed_that_fails(seeds: Iterable[int], **more: bool) -> int | None:
    return next((seed for seed in seeds if run_scenario(seed, **more).violations), None)


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mistake_is_found(name: str, monkeypatch: pytest.MonkeyPatch):
    MUTATIONS[name](monkeypatch)
    assert first_seed_that_fails(range(MAX_MUTATION_SEEDS)) is not None


def test_a_missed_update_that_is_forgotten_is_found(monkeypatch: pytest.MonkeyPatch):
    async def forget(self: MissedWrites, category: str, since: datetime) -> None: ...

    monkeypatch.setattr(MissedWrites, "record", forget)
    assert first_seed_that_fails(range(MAX_MUTATION_SEEDS), postgres_fails=False, repairs=False) is not None
