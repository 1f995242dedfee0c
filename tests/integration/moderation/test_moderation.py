"""Decisions of moderators: audited, seen at once in every store, and the sums always right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.config import Settings
from app.domain.boards.board import Page, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.errors import BadUserInput, Forbidden, UnderReview, UserNotFound
from app.domain.ledger.transactions import Actor
from app.domain.rules.flags import FlagStatus
from app.domain.rules.fraud import Thresholds
from app.domain.users import Caller, Role
from app.runtime import Runtime
from app.services.boards.postgres_reader import PostgresReader
from app.wiring import App
from tests.support.manual_clock import WallClock
from tests.support.service import caller, opened

MODERATOR = Actor(uuid4(), Role.MODERATOR.value, "8.8.8.8", "tests")
ENTRIES = text(
    "SELECT kind, points, delta, score, actor_id, reason FROM score_transactions WHERE user_id = :user ORDER BY seq"
)
BEST = text("UPDATE categories SET operator = 'BEST', sort_order = 'LOW_FIRST' WHERE id = 'puzzle'")


@pytest.fixture
def clock() -> WallClock:
    return WallClock(datetime(2026, 11, 18, 23, 0, tzinfo=UTC))


@pytest.fixture
async def app(settings: Settings, clock: WallClock) -> AsyncIterator[App]:
    async with opened(settings, clock) as app:
        yield app


async def play(app: App, who: Caller, action: str = "COMPLETE_LEVEL", difficulty: str | None = None) -> UUID:
    token = (await app.issue_token(who, action, difficulty)).token
    return (await app.submit_score(who, token)).transaction_id


async def entries(app: App, who: Caller) -> list[tuple[Any, ...]]:
    async with app.database.connect() as connection:
        return [tuple(row) for row in await connection.execute(ENTRIES, {"user": who.user_id})]


async def shown(
    app: App, category: str = "global", period: Period = Period.ALL_TIME, at: datetime | None = None
) -> list[tuple[str, int]]:
    """Names and scores of a board, on which all stores must agree, without a gap between the ranks."""
    board = board_of(category, period, at or app.clock())
    read = await app.board_reader.page(board, Slice(0, 100))
    (true,) = await PostgresReader(
        app.database, app.database, app.database, app.profiles, Runtime(clock=app.clock), "truth"
    ).read(board, [Slice(0, 100)])
    assert isinstance(true, Page)
    for page in (read, true):
        assert [entry.rank for entry in page.entries] == list(range(1, page.total_users + 1))
    lines, truth = ([(entry.user.username, entry.score) for entry in page.entries] for page in (read, true))
    assert lines == truth
    return lines


async def is_sound(app: App) -> bool:
    """Whether `leaderboard verify` has nothing to say."""
    await app.anchors.anchor()
    findings = await app.verify.run(lambda *_: None)
    assert [breach for finding in findings for breach in finding.violations] == []
    return True


async def test_an_adjustment_is_seen_on_every_board_and_counts_once(app: App):
    alice, bob = caller("alice"), caller("bob")
    await play(app, alice)
    await play(app, bob, "COMPLETE_QUIZ")
    for _ in range(2):
        receipt = await app.moderation.corrections.adjust(MODERATOR, bob.user_id, "global", 90, "a draw", "draw 1")
        assert (receipt.previous_score, receipt.new_score) == (10, 100)
    for period in Period:
        assert await shown(app, period=period) == [("bob", 100), ("alice", 50)]
    assert (await entries(app, bob))[1:] == [("ADJUSTMENT", 90, 90, 100, MODERATOR.id, "a draw")]
    with pytest.raises(BadUserInput):
        await app.moderation.corrections.adjust(MODERATOR, bob.user_id, "global", 91, "a draw", "draw 1")
    assert await is_sound(app)


async def test_a_user_at_score_zero_is_ranked_once_they_have_a_row(app: App):
    alice, bob = caller("alice"), caller("bob")
    await play(app, alice)
    await play(app, bob)
    await app.moderation.corrections.adjust(MODERATOR, alice.user_id, "global", -1000, "all of it", "1")
    assert await shown(app) == [("bob", 50), ("alice", 0)]
    assert await is_sound(app)
    await play(app, alice, "COMPLETE_QUIZ")
    assert await shown(app) == [("bob", 50), ("alice", 10)]
    assert await is_sound(app)


async def test_a_transaction_is_reverted_in_open_windows_and_only_once(app: App, clock: WallClock):
    alice = caller("alice")
    cheat = await play(app, alice)
    clock.advance(2 * 3600)
    await play(app, alice, "COMPLETE_QUIZ")
    receipt = await app.moderation.corrections.revert(MODERATOR, cheat, "a bot")
    assert (receipt.previous_score, receipt.new_score) == (60, 10)
    assert await shown(app) == [("alice", 10)]
    assert await shown(app, period=Period.DAILY) == [("alice", 10)]
    yesterday = datetime(2026, 11, 18, 12, tzinfo=UTC)
    assert await shown(app, period=Period.DAILY, at=yesterday) == [("alice", 50)], "a closed window stays as it was"
    with pytest.raises(BadUserInput, match="already"):
        await app.moderation.corrections.revert(MODERATOR, cheat, "again")
    with pytest.raises(BadUserInput, match="cannot be reverted"):
        await app.moderation.corrections.revert(MODERATOR, receipt.transaction_id, "the other way round")
    with pytest.raises(BadUserInput, match="No transaction"):
        await app.moderation.corrections.revert(MODERATOR, uuid4(), "nobody's")
    assert await is_sound(app)


async def test_concurrent_reversals_of_a_transaction_revert_it_once(app: App):
    alice = caller("alice")
    cheat = await play(app, alice)
    await play(app, alice)
    work = [app.moderation.corrections.revert(MODERATOR, cheat, "a bot") for _ in range(10)]
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    assert sum(isinstance(outcome, BadUserInput) for outcome in outcomes) == 9
    assert await shown(app) == [("alice", 50)]
    assert await is_sound(app)


async def test_without_the_best_time_the_second_best_counts_and_without_any_none(app: App, clock: WallClock):
    async with app.database.begin() as connection:
        await connection.execute(BEST)
    await app.catalogue.refresh()
    alice, bob = caller("alice"), caller("bob")
    slow = await play(app, alice, "SOLVE_PUZZLE", "hard")
    fast = await play(app, alice, "SOLVE_PUZZLE", "easy")
    await play(app, bob, "SOLVE_PUZZLE", "hard")
    assert await shown(app, "puzzle") == [("alice", 10), ("bob", 30)]
    clock.advance(1)
    await app.moderation.corrections.revert(MODERATOR, fast, "a bot")
    assert await shown(app, "puzzle") == [("bob", 30), ("alice", 30)]
    await app.moderation.corrections.revert(MODERATOR, slow, "a bot")
    assert await shown(app, "puzzle") == [("bob", 30)]
    await play(app, alice, "SOLVE_PUZZLE", "easy")
    assert await shown(app, "puzzle") == [("alice", 10), ("bob", 30)]
    assert await is_sound(app)


async def test_a_hidden_user_leaves_no_trace_and_comes_back_to_the_old_place(app: App, clock: WallClock):
    alice, bob, carol = caller("alice"), caller("bob"), caller("carol")
    for who in (alice, bob, carol):
        await play(app, who)
        clock.advance(1)
    for _ in range(2):
        await app.moderation.visibility.hide(MODERATOR, alice.user_id, "a bot")
    for period in Period:
        assert await shown(app, period=period) == [("bob", 50), ("carol", 50)]
    (place,) = await app.board_reader.standings(board_of("global", Period.ALL_TIME, clock()), [alice.user_id])
    assert (place.rank, place.score, place.total_users) == (None, 0, 2)
    await app.moderation.visibility.unhide(MODERATOR, alice.user_id, "a mistake")
    assert await shown(app) == [("alice", 50), ("bob", 50), ("carol", 50)]
    assert [entry[0] for entry in await entries(app, alice)] == ["ACTION", "HIDING", "UNHIDING"]
    assert await is_sound(app)


async def test_a_hidden_user_plays_on_unseen(app: App):
    alice, bob = caller("alice"), caller("bob")
    await play(app, alice)
    await play(app, bob, "COMPLETE_QUIZ")
    await app.moderation.visibility.hide(MODERATOR, alice.user_id, "a bot")
    await play(app, alice)
    await play(app, alice, "ARCADE_RUN")
    assert (await shown(app), await shown(app, "arcade")) == ([("bob", 10)], [])
    await app.moderation.visibility.unhide(MODERATOR, alice.user_id, "a mistake")
    assert (await shown(app), await shown(app, "arcade")) == ([("alice", 100), ("bob", 10)], [("alice", 20)])
    assert await is_sound(app)


async def test_closed_windows_hide_and_show_a_user_too(app: App, clock: WallClock):
    alice, bob = caller("alice"), caller("bob")
    await play(app, alice)
    await play(app, bob, "COMPLETE_QUIZ")
    yesterday = clock()
    clock.advance(2 * 3600)
    assert await shown(app, period=Period.DAILY, at=yesterday) == [("alice", 50), ("bob", 10)]
    await app.moderation.visibility.hide(MODERATOR, alice.user_id, "a bot")
    assert await shown(app, period=Period.DAILY, at=yesterday) == [("bob", 10)]
    await app.moderation.visibility.unhide(MODERATOR, alice.user_id, "a mistake")
    assert await shown(app, period=Period.DAILY, at=yesterday) == [("alice", 50), ("bob", 10)]


async def test_a_closed_window_that_redis_has_lost_is_not_made_of_one_user(app: App, clock: WallClock):
    alice, bob = caller("alice"), caller("bob")
    await play(app, alice)
    await play(app, bob, "COMPLETE_QUIZ")
    yesterday = clock()
    clock.advance(2 * 3600)
    await app.redis.flushdb()
    await app.rebuild.ensure_loaded()
    await app.moderation.visibility.hide(MODERATOR, alice.user_id, "a bot")
    await app.moderation.visibility.unhide(MODERATOR, alice.user_id, "a mistake")
    assert await shown(app, period=Period.DAILY, at=yesterday) == [("alice", 50), ("bob", 10)]


async def test_hiding_while_the_user_plays_loses_no_point(app: App):
    alice = caller("alice")
    tokens = [(await app.issue_token(alice, "COMPLETE_LEVEL")).token for _ in range(20)]
    visibility = app.moderation.visibility
    work = [app.submit_score(alice, token) for token in tokens]
    work[5:5] = [visibility.hide(MODERATOR, alice.user_id, "a bot")]  # type: ignore[list-item]
    work[15:15] = [visibility.unhide(MODERATOR, alice.user_id, "a mistake")]  # type: ignore[list-item]
    await asyncio.gather(*work)
    await visibility.unhide(MODERATOR, alice.user_id, "whichever came last")
    assert await shown(app) == [("alice", 1000)]
    assert await is_sound(app)


async def test_a_deleted_user_is_gone_from_everywhere_and_the_sums_hold(app: App, clock: WallClock):
    alice, bob = caller("alice"), caller("bob")
    await play(app, alice)
    await play(app, alice, "ARCADE_RUN")
    await play(app, bob)
    yesterday = clock()
    clock.advance(2 * 3600)
    open_token = (await app.issue_token(alice, "COMPLETE_LEVEL", metadata={"device": "her phone"})).token
    deleted = await app.moderation.deletion(MODERATOR, alice.user_id, "asked for it")
    assert deleted.content["user"]["username"] == "alice"
    assert [entry["delta"] for entry in deleted.content["transactions"]] == [20, 50]
    assert {row["category"] for row in deleted.content["scores"]} == {"global", "arcade"}
    assert "alice" not in deleted.profile.username
    assert (await shown(app), await shown(app, "arcade")) == ([("bob", 50)], [])
    assert await shown(app, period=Period.DAILY, at=yesterday) == [("bob", 50)]
    assert [entry[:3] for entry in await entries(app, alice)][2:] == [("DELETION", -20, -20), ("DELETION", -50, -50)]
    with pytest.raises(Forbidden):
        await app.submit_score(alice, open_token)
    with pytest.raises(UserNotFound):
        await app.moderation.deletion(MODERATOR, alice.user_id, "again")
    async with app.database.connect() as connection:
        left = (await connection.execute(text("SELECT username, claimed_username, avatar_url FROM users"))).all()
    assert not [row for row in left if "alice" in "".join(filter(None, row))]
    assert await is_sound(app)


async def test_deleting_somebody_without_a_score_is_recorded_too(app: App):
    alice = caller("alice")
    await app.issue_token(alice, "COMPLETE_LEVEL")
    await app.moderation.deletion(MODERATOR, alice.user_id, "asked for it")
    assert [entry[:3] for entry in await entries(app, alice)] == [("DELETION", 0, 0)]
    assert await is_sound(app)


@pytest.mark.parametrize("reason", ["", "x" * 501, "a\x00"])
async def test_no_decision_without_a_reason(app: App, reason: str):
    alice = caller("alice")
    transaction = await play(app, alice)
    moderation = app.moderation
    for decision in (
        moderation.visibility.hide(MODERATOR, alice.user_id, reason),
        moderation.deletion(MODERATOR, alice.user_id, reason),
        moderation.corrections.revert(MODERATOR, transaction, reason),
        moderation.corrections.adjust(MODERATOR, alice.user_id, "global", 1, reason, "key"),
    ):
        with pytest.raises(BadUserInput):
            await decision
    assert len(await entries(app, alice)) == 1


class TestReviews:
    @pytest.fixture
    async def app(self, settings: Settings, clock: WallClock) -> AsyncIterator[App]:
        thresholds = Thresholds(history=4, even_length=3)
        async with opened(settings.model_copy(update={"fraud_thresholds": thresholds}), clock) as app:
            yield app

    async def held(self, app: App, clock: WallClock, who: Caller) -> UUID:
        """The flag of a completion that is held: the fourth of a machine's beat."""
        for _ in range(3):
            await play(app, who)
            clock.advance(10)
        with pytest.raises(UnderReview):
            await play(app, who)
        return (await app.moderation.reviews.held(who.user_id))[0].id

    async def test_what_is_released_counts_once(self, app: App, clock: WallClock):
        alice = caller("alice")
        flag = await self.held(app, clock, alice)
        assert await shown(app) == [("alice", 150)]
        released = await app.moderation.reviews.release(MODERATOR, flag, "she is just good")
        assert (released.status.value, released.decided_by) == ("RELEASED", MODERATOR.id)
        for period in Period:
            assert await shown(app, period=period) == [("alice", 200)]
        for decide in (app.moderation.reviews.release, app.moderation.reviews.reject):
            with pytest.raises(BadUserInput):
                await decide(MODERATOR, flag, "again")
        assert (await entries(app, alice))[-1] == ("RELEASE", 50, 50, 200, MODERATOR.id, "she is just good")
        assert await is_sound(app)

    async def test_what_is_rejected_never_counts(self, app: App, clock: WallClock):
        alice = caller("alice")
        flag = await self.held(app, clock, alice)
        await app.moderation.reviews.reject(MODERATOR, flag, "a bot")
        assert await shown(app) == [("alice", 150)]
        assert (await entries(app, alice))[-1] == ("REJECTION", 50, 0, 150, MODERATOR.id, "a bot")
        assert await is_sound(app)

    async def test_rejecting_what_was_paid_takes_it_back_and_releasing_it_trusts_the_player(
        self, app: App, clock: WallClock
    ):
        alice, bob = caller("alice"), caller("bob")
        for who in (alice, bob):
            await self.held(app, clock, who)
        by_user = {}
        for flag in (await app.moderation.reviews.flags(FlagStatus.OPEN, 100, None))[0]:
            if flag.verdict.name == "FLAG":
                by_user[flag.user_id] = flag.id
        await app.moderation.reviews.reject(MODERATOR, by_user[alice.user_id], "a bot")
        await app.moderation.reviews.release(MODERATOR, by_user[bob.user_id], "a good player")
        assert await shown(app) == [("bob", 150), ("alice", 100)]
        assert (await entries(app, alice))[-1][:3] == ("REVERSAL", -50, -50)
        assert await is_sound(app)

    async def test_flags_are_read_page_by_page(self, app: App, clock: WallClock):
        await self.held(app, clock, caller("alice"))
        reviews = app.moderation.reviews
        (newest,), has_more = await reviews.flags(FlagStatus.OPEN, 1, None)
        assert has_more
        (older,), has_more = await reviews.flags(FlagStatus.OPEN, 1, newest.id)
        assert not has_more
        assert (newest.verdict.name, older.verdict.name) == ("HOLD", "FLAG")
        assert await reviews.flags(FlagStatus.OPEN, 1, older.id) == ([], False)
        for first in (0, 101):
            with pytest.raises(BadUserInput):
                await reviews.flags(FlagStatus.OPEN, first, None)
