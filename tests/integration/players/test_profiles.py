"""A player's profile: totals, averages, the last action, achievements; and who may see whose."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from app.config import Settings
from app.domain.ledger.transactions import Actor
from app.domain.users import Caller, Role
from app.wiring import App
from tests.support.boards.ledgers import MODERATOR, award
from tests.support.graphql.schema_client import Asker
from tests.support.manual_clock import WallClock
from tests.support.service import caller, opened

PROFILE = """
query Profile($id: ID!) {
  user(id: $id) {
    id username avatarUrl createdAt actions averagePoints
    totals { category { id } score actions averagePoints bestDailyRank }
    lastAction { actionType name category { id } points completedAt }
    achievements { id kind threshold reachedAt category { id } user { id } }
  }
}
"""


async def profile(app: App, who: Caller, viewer: Caller | None = None) -> Any:
    await app.ledger.drain()
    await app.milestones.flush()
    return (await Asker(app, viewer).ask(PROFILE, id=str(who.user_id)))["user"]


async def play(app: App, who: Caller, action: str, difficulty: str | None = None) -> str:
    receipt = await app.submit_score(who, (await app.issue_token(who, action, difficulty)).token)
    return str(receipt.transaction_id)


async def test_a_profile_adds_up_what_the_player_did(app: App):
    alice = caller()
    for action in ("COMPLETE_LEVEL", "COMPLETE_LEVEL", "COMPLETE_QUIZ", "ARCADE_RUN", "SOLVE_PUZZLE"):
        await play(app, alice, action)
    shown = await profile(app, alice)
    assert (shown["username"], shown["actions"], shown["averagePoints"]) == ("alice", 5, 28.0)
    assert [(one["category"]["id"], one["score"], one["actions"]) for one in shown["totals"]] == [
        ("arcade", 20, 1),
        ("global", 110, 3),
        ("puzzle", 10, 1),
    ]
    assert shown["totals"][1]["averagePoints"] == 110 / 3
    last = shown["lastAction"]
    assert (last["actionType"], last["name"], last["points"]) == ("SOLVE_PUZZLE", "Puzzle", 10)
    assert datetime.fromisoformat(last["completedAt"]) > datetime.now(UTC) - timedelta(minutes=1)
    kinds = [(one["category"]["id"], one["kind"], one["threshold"]) for one in shown["achievements"]]
    assert ("global", "SCORE", 100) in kinds
    assert kinds.count(("global", "FIRST_PLACE", None)) == 1
    assert len({one["id"] for one in shown["achievements"]}) == len(kinds)


async def test_a_user_without_actions_has_an_empty_profile_and_an_unknown_user_has_none(app: App):
    alice = caller()
    await app.users.ensure(alice)
    shown = await profile(app, alice)
    assert (shown["actions"], shown["averagePoints"], shown["lastAction"]) == (0, None, None)
    assert (shown["totals"], shown["achievements"]) == ([], [])
    assert (await Asker(app).ask(PROFILE, id=str(uuid4())))["user"] is None
    assert await Asker(app).fails(PROFILE, id="alice") == "BAD_USER_INPUT"


async def test_corrections_are_not_actions_and_do_not_change_the_average(app: App):
    alice = caller()
    await play(app, alice, "COMPLETE_LEVEL")
    await app.moderation.corrections.adjust(MODERATOR, alice.user_id, "global", 1000, "a gift", "key-1")
    shown = await profile(app, alice)
    assert (shown["actions"], shown["averagePoints"]) == (1, 50.0)
    assert shown["totals"][0]["score"] == 1050
    assert shown["lastAction"]["actionType"] == "COMPLETE_LEVEL"


async def test_where_the_best_counts_the_average_is_that_of_the_results(app: App):
    jumps = {"id": "jumps", "name": "Jumps", "operator": "BEST"}
    await app.catalogue_changes.apply([jumps], [], Actor(None, "operator"), "test")
    alice = caller()
    for metres in (5, 9, 7):
        await award(app, alice, metres, "jumps")
    (totals,) = (await profile(app, alice))["totals"]
    assert (totals["score"], totals["actions"], totals["averagePoints"]) == (9, 3, 7.0)


async def test_a_hidden_player_is_seen_by_themselves_and_moderators_alone(app: App):
    alice = caller()
    await play(app, alice, "COMPLETE_LEVEL")
    await app.moderation.visibility.hide(MODERATOR, alice.user_id, "rude")
    assert await profile(app, alice) is None
    assert await profile(app, alice, caller("bob")) is None
    assert (await profile(app, alice, alice))["totals"][0]["score"] == 50
    assert (await profile(app, alice, caller("mod", Role.MODERATOR)))["actions"] == 1
    await app.moderation.visibility.unhide(MODERATOR, alice.user_id, "sorry")
    assert (await profile(app, alice))["actions"] == 1


async def test_a_deleted_player_has_no_profile(app: App):
    alice = caller()
    await play(app, alice, "COMPLETE_LEVEL")
    await app.moderation.deletion(MODERATOR, alice.user_id, "asked for it")
    for viewer in (None, alice, caller("mod", Role.MODERATOR)):
        assert await profile(app, alice, viewer) is None


async def test_the_best_daily_rank_is_that_of_the_best_day(settings: Settings):
    clock = WallClock()
    async with opened(settings, clock) as app:
        ann, bob, cat = caller("ann"), caller("bob"), caller("cat")
        for points in ((5, 7, 9), (8, 9, 1), (1, 2, 3)):
            for who, score in zip((ann, bob, cat), points, strict=True):
                await award(app, who, score)
            clock.advance(days=1)
        await app.jobs.run_one("close_windows")
        ranks = [(await profile(app, who))["totals"][0]["bestDailyRank"] for who in (ann, bob, cat)]
        assert ranks == [2, 1, 1]
        await app.moderation.visibility.hide(MODERATOR, cat.user_id, "rude")
        assert await profile(app, cat) is None
