"""A cached account equals the account that would be loaded."""

import time
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.domain.errors import ActionTokenUsed, AlreadyCompleted, DailyLimitReached, ScoreCapReached
from app.domain.ledger.posting import Actor, Kind, ScoreRequest
from app.domain.rules.flags import FlagStatus
from app.domain.users import Caller
from app.models.statements.ledger.load_accounts import load
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.account_cache import FRESH_SECONDS
from app.wiring import App
from tests.support.service import caller, opened
from tests.support.wait_until import until

ACTIONS = ("COMPLETE_LEVEL", "COMPLETE_QUIZ", "COMPLETE_LEVEL", "COMPLETE_MISSION", "COMPLETE_LEVEL", "COMPLETE_QUIZ")


def request_for(app: App, who: Caller, action_id: str) -> ScoreRequest:
    catalogue: CatalogueService = app.catalogue
    action = catalogue.current.action(action_id)
    category = catalogue.current.category(action.category)
    actor = Actor(who.user_id, "player")
    return ScoreRequest(who.user_id, category, Kind.ACTION, action.points, actor, action, token_hash=b"new")


async def play(app: App, who: Caller, action: str = "COMPLETE_LEVEL") -> str:
    token = (await app.issue_token(who, action)).token
    await app.submit_score(who, token)
    return token


async def test_a_cached_account_equals_the_loaded_one(app: App):
    alice = caller()
    recent = app.settings.fraud_thresholds.history - 1
    for action in (*ACTIONS, *ACTIONS, *ACTIONS):
        await play(app, alice, action)
        request = request_for(app, alice, action)
        cached = app.account_cache.get(request, app.clock())
        async with app.database.connect() as connection:
            (loaded,) = await load(connection, [request], app.clock(), recent)
        assert cached is not None
        assert loaded.account is not None
        # The database counts a day's completions only as far as a limit asks for it.
        done = cached.activity.done_today
        assert cached == replace(loaded.account, activity=replace(loaded.account.activity, done_today=done))


async def test_a_second_submission_needs_no_loading(app: App):
    alice = caller()
    await play(app, alice)
    hits = app.account_cache.hits
    await play(app, alice)
    assert app.account_cache.hits == hits + 1


async def test_a_repeat_of_a_cached_player_gets_the_first_receipt(app: App):
    alice = caller()
    tokens = [await play(app, alice) for _ in range(3)]
    with pytest.raises(ActionTokenUsed) as again:
        await app.submit_score(alice, tokens[0])
    assert again.value.receipt.new_score == 50


async def test_submissions_to_another_process_count(app: App):
    alice = caller()
    await play(app, alice)
    async with opened(app.settings) as other:
        await play(other, alice)
        await play(app, alice)
        token = await play(other, alice)
    with pytest.raises(ActionTokenUsed):
        await app.submit_score(alice, token)
    async with app.database.connect() as connection:
        scores = (await connection.execute(text("SELECT score FROM scores WHERE period = 'ALL_TIME'"))).scalars().all()
    assert scores == [200]


async def test_limits_hold_for_players_who_are_cached(app: App):
    alice = caller()
    await play(app, alice, "DAILY_LOGIN")
    with pytest.raises(DailyLimitReached):
        await play(app, alice, "DAILY_LOGIN")
    async with app.database.begin() as connection:
        await connection.execute(text("UPDATE actions SET repeatable = false WHERE id = 'COMPLETE_QUIZ'"))
    await app.catalogue.refresh()
    await play(app, alice, "COMPLETE_QUIZ")
    with pytest.raises(AlreadyCompleted):
        await play(app, alice, "COMPLETE_QUIZ")


async def test_after_a_minute_an_account_is_still_cached_and_its_address_is_counted_again(
    app: App, monkeypatch: pytest.MonkeyPatch
):
    alice, bob, address = caller("alice"), caller("bob"), "93.184.216.34"
    for who in (alice, bob):
        token = (await app.issue_token(who, "COMPLETE_LEVEL")).token
        await app.submit_score(who, token, address=address)
    monkeypatch.setattr(app.account_cache, "_monotonic", lambda: time.monotonic() + FRESH_SECONDS + 1)
    hits, token = app.account_cache.hits, (await app.issue_token(alice, "COMPLETE_LEVEL")).token
    await app.submit_score(alice, token, address=address)
    assert app.account_cache.hits == hits + 1
    request = replace(request_for(app, alice, "COMPLETE_LEVEL"), actor=Actor(alice.user_id, "player", address))
    cached = app.account_cache.get(request, app.clock())
    async with app.database.connect() as connection:
        (loaded,) = await load(connection, [request], app.clock(), 15)
    assert cached is not None
    assert loaded.account is not None
    assert cached.history.accounts_per_address == loaded.account.history.accounts_per_address == 2


async def test_no_refusal_rests_on_an_account_that_was_loaded_long_ago(app: App, monkeypatch: pytest.MonkeyPatch):
    alice = caller()
    await play(app, alice)
    async with app.database.begin() as connection:
        await connection.execute(text("UPDATE categories SET score_cap = 50"))
    await app.catalogue.refresh()
    with pytest.raises(ScoreCapReached):
        await play(app, alice)
    async with opened(app.settings) as other:
        await other.moderation.corrections.adjust(Actor(uuid4(), "moderator"), alice.user_id, "global", -20, "why", "k")
    with pytest.raises(ScoreCapReached):
        await play(app, alice)
    monkeypatch.setattr(app.account_cache, "_monotonic", lambda: time.monotonic() + FRESH_SECONDS + 1)
    await play(app, alice)
    async with app.database.connect() as connection:
        scores = (await connection.execute(text("SELECT score FROM scores WHERE period = 'ALL_TIME'"))).scalars().all()
    assert scores == [50]


async def test_an_account_is_evicted_when_another_process_closes_its_flag(app: App):
    alice = caller()
    await play(app, alice)
    async with app.database.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO flags (id, user_id, category_id, verdict, rules, points, created_at)"
                " SELECT id, user_id, category_id, 'FLAG', '{}', 50, now() FROM score_transactions RETURNING id"
            )
        )
    app.account_cache.invalidate_all()
    await play(app, alice)
    request = request_for(app, alice, "COMPLETE_LEVEL")
    cached = app.account_cache.get(request, app.clock())
    assert cached is not None
    assert cached.history.is_suspect
    async with opened(app.settings) as other:
        (flag,), _ = await other.moderation.reviews.flags(FlagStatus.OPEN, 10, None)
        await other.moderation.reviews.release(Actor(uuid4(), "moderator"), flag.id, "a school")
        await until(lambda: app.account_cache.get(request, app.clock()) is None)
