"""Events are committed exactly if their facts are, and have the form that their schemas describe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from app.domain.boards.board import board_of
from app.domain.boards.periods import Period
from app.domain.errors import BadUserInput
from app.domain.events.event import EventType
from app.domain.ledger.activity import Suspicion, Verdict
from app.domain.ledger.posting import ScoreRequest
from app.domain.ledger.transactions import Actor
from app.wiring import App
from tests.support.boards.ledgers import award, rows
from tests.support.events import SCHEMAS, envelopes
from tests.support.manual_clock import WallClock
from tests.support.service import caller, opened, settings_for

MODERATOR = Actor(uuid4(), "moderator")
ALL_TYPES = ",".join(EventType)


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
async def app(database_url: str, redis_url: str, clock: WallClock) -> AsyncIterator[App]:
    settings = settings_for(database_url, redis_url, event_types=ALL_TYPES)
    async with opened(settings, clock, housekeeping=False) as app:
        yield app


def suspicious(verdict: Verdict) -> Any:
    def judge(claim: ScoreRequest, *_: object) -> ScoreRequest:
        suspicion = Suspicion(verdict, ("velocity",))
        return claim.held(suspicion) if verdict is Verdict.HOLD else replace(claim, suspicion=suspicion)

    return judge


async def hold(app: App, who: Any) -> None:
    await award(app, who, 5, judge=suspicious(Verdict.HOLD))


def test_every_type_has_a_schema_and_no_other_has() -> None:
    assert {path.stem for path in SCHEMAS.glob("*.json")} == set(EventType)


async def test_a_score_is_an_event_with_what_it_changed(app: App) -> None:
    alice = caller("alice")
    receipt = await award(app, alice, 30)
    (event,) = await envelopes(app, "score.committed")
    assert event["subject"] == f"users/{alice.user_id}"
    assert event["source"] == "/leaderboard"
    assert event["data"]["transactionId"] == str(receipt.transaction_id)
    assert (event["data"]["delta"], event["data"]["score"], event["data"]["kind"]) == (30, 30, "SERVER_ACTION")
    assert {board["window"].partition(":")[0] for board in event["data"]["boards"]} == set(Period)


async def test_a_milestone_is_an_event_once(app: App) -> None:
    alice = caller("alice")
    for _ in range(3):
        await award(app, alice, 60)
    await app.milestones.flush()
    events = await envelopes(app, "milestone.reached")
    assert sorted((event["data"]["kind"], event["data"]["threshold"]) for event in events) == [
        ("FIRST_PLACE", None),
        ("SCORE", 100),
        ("TOP_TEN", None),
    ]


async def test_decisions_of_moderators_are_events(app: App) -> None:
    alice, bob = caller("alice"), caller("bob")
    await award(app, bob, 10, judge=suspicious(Verdict.FLAG))
    await award(app, bob, 10, judge=suspicious(Verdict.FLAG))
    await hold(app, alice)
    await hold(app, alice)
    flags = [row.id for row in await rows(app, "SELECT id FROM flags WHERE user_id = :u ORDER BY id", u=alice.user_id)]
    await app.moderation.reviews.release(MODERATOR, flags[0], "it was real")
    await app.moderation.reviews.reject(MODERATOR, flags[1], "a bot")
    for _ in range(2):
        await app.moderation.visibility.hide(MODERATOR, alice.user_id, "a bot")
    await app.moderation.visibility.unhide(MODERATOR, alice.user_id, "a mistake")
    await app.moderation.deletion(MODERATOR, alice.user_id, "on request")
    found = [event for event in await envelopes(app) if event["type"].startswith(("completion", "user"))]
    assert [event["type"] for event in found if event["data"]["userId"] == str(bob.user_id)] == ["completion.flagged"]
    assert [event["type"] for event in found if event["data"]["userId"] == str(alice.user_id)] == [
        "completion.held", "completion.held", "completion.released", "completion.rejected",
        "user.hidden", "user.unhidden", "user.deleted",
    ]  # fmt: skip
    assert not any("alice" in str(event) or "a bot" in str(event) for event in await envelopes(app))


async def test_a_decision_that_fails_is_no_event(app: App) -> None:
    alice = caller("alice")
    await hold(app, alice)
    (flag,) = await rows(app, "SELECT id FROM flags")
    await app.moderation.reviews.reject(MODERATOR, flag.id, "a bot")
    with pytest.raises(BadUserInput):
        await app.moderation.reviews.release(MODERATOR, flag.id, "too late")
    assert [event["type"] for event in await envelopes(app)] == ["completion.held", "completion.rejected"]


async def test_catalogue_and_anchors_are_events(app: App) -> None:
    await app.catalogue_changes.apply([{"id": "race", "name": "Race"}], [], MODERATOR, "a new game")
    await award(app, caller("alice"), 5)
    await app.anchors.anchor()
    changed, anchored = await envelopes(app, "catalogue.changed", "ledger.anchored")
    assert (changed["data"]["kind"], changed["data"]["id"], changed["data"]["before"]) == ("category", "race", None)
    (stored,) = await rows(app, "SELECT hash FROM ledger_anchors")
    assert anchored["data"]["hash"] == stored.hash.hex()


async def test_a_closed_window_is_one_event_however_many_instances_close_it(app: App, clock: WallClock) -> None:
    await award(app, caller("alice"), 5)
    await award(app, caller("bob"), 7)
    day = board_of("global", Period.DAILY, clock())
    clock.advance(days=1)
    await asyncio.gather(*(app.close_windows() for _ in range(3)))
    (event,) = [one for one in await envelopes(app, "window.closed") if one["data"]["window"] == day.window.key]
    assert (event["data"]["totalUsers"], event["subject"]) == (2, f"boards/{day.key}")


async def test_filters_of_scores_apply_per_category(database_url: str, redis_url: str) -> None:
    filters = '{"global": {"min_delta": 10, "min_score": 50}, "puzzle": {"sample": 0}}'
    settings = settings_for(database_url, redis_url, event_types="score.committed", score_events=filters)
    async with opened(settings, housekeeping=False) as app:
        alice = caller("alice")
        for points in (40, 9, 10):
            await award(app, alice, points)
        await award(app, alice, 100, "puzzle")
        assert [event["data"]["score"] for event in await envelopes(app)] == [59]


async def test_types_that_are_not_recorded_leave_nothing(database_url: str, redis_url: str) -> None:
    async with opened(settings_for(database_url, redis_url, event_types="user.hidden"), housekeeping=False) as app:
        await award(app, caller("alice"), 200)
        await app.anchors.anchor()
        assert await app.outbox.compare_heads() == 0
        assert await envelopes(app) == []


async def test_a_batch_of_submissions_records_all_its_scores(app: App) -> None:
    players = [caller(f"player {number}") for number in range(40)]
    await asyncio.gather(*(award(app, player, 3) for player in players))
    events = await envelopes(app, "score.committed")
    assert sorted(event["data"]["userId"] for event in events) == sorted(str(player.user_id) for player in players)


async def test_first_place_and_overtaken_users_are_events_once(app: App) -> None:
    alice, bob, carol = caller("alice"), caller("bob"), caller("carol")
    await award(app, alice, 30)
    await award(app, bob, 20)
    await app.outbox.compare_heads()
    assert await app.outbox.compare_heads() == 0, "nothing has changed"
    await award(app, bob, 20)
    await award(app, carol, 35)
    await asyncio.gather(*(app.outbox.compare_heads() for _ in range(3)))
    found = [event for event in await envelopes(app) if event["data"].get("window") == "ALL_TIME"]
    assert [(event["type"], event["data"]["userId"]) for event in found] == [
        ("leaderboard.first_place", str(alice.user_id)),
        ("leaderboard.first_place", str(bob.user_id)),
        ("leaderboard.overtaken", str(alice.user_id)),
    ]
    assert found[1]["data"]["previousUserId"] == str(alice.user_id)
    assert found[2]["data"]["overtakenBy"] == str(carol.user_id)
    assert (found[2]["data"]["previousRank"], found[2]["data"]["rank"]) == (1, 3)
