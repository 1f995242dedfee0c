"""Made-up players are as good as real ones."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, timedelta
from random import Random

import pytest

from app.config import Settings
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.errors import BadUserInput, CategoryNotFound
from app.domain.players.milestones import THRESHOLDS
from app.domain.users import SubjectIds
from app.services.archives.seed import CHUNK_SIZE, DEMO_NAMES, Seed, SeedingResult
from app.wiring import App, open_app
from tests.support.boards.ledgers import award, breaches, rows
from tests.support.runtime import runtime_for
from tests.support.service import caller, opened


async def seed(app: App, users: int, actions: int, days: int = 1) -> SeedingResult:
    """Seed, and bring Redis up to it, as the command does."""
    seeded = await app.seeding.seed("global", users, actions, days, lambda done: None)
    await app.rebuild.rebuild(app.catalogue.current.category("global"), force=True)
    return seeded


async def seed_demo(app: App) -> SeedingResult:
    """The same for the demo players."""
    seeded = await app.seeding.seed_demo("leaderboard")
    await app.rebuild.rebuild(app.catalogue.current.category("global"), force=True)
    return seeded


async def test_every_invariant_holds_for_seeded_players(app: App):
    seeded = await seed(app, users=300, actions=900, days=40)
    assert (seeded.users, seeded.transactions) == (300, 900)
    assert await breaches(app) == []


async def test_players_have_the_milestones_that_their_scores_have_passed(app: App):
    await seed(app, users=20, actions=400, days=40)
    missing = await rows(
        app,
        """
        SELECT s.user_id, m.threshold FROM scores s JOIN unnest(CAST(:thresholds AS int[])) AS m(threshold)
            ON s.score >= m.threshold
        WHERE s.period = 'ALL_TIME'
        EXCEPT SELECT user_id, threshold FROM milestones
        """,
        thresholds=list(THRESHOLDS),
    )
    assert missing == []
    ((first,),) = await rows(app, "SELECT user_id FROM milestones WHERE threshold = 500 LIMIT 1")
    reached = "SELECT reached_at FROM milestones WHERE user_id = :user AND threshold = 500"
    passed = "SELECT min(created_at) FROM score_transactions WHERE user_id = :user AND score >= 500"
    assert await rows(app, reached, user=first) == await rows(app, passed, user=first)


async def test_players_of_today_are_on_every_open_board(app: App):
    seeded = await seed(app, users=50, actions=50)
    assert seeded.scores == 4 * 50
    for period in Period:
        board = app.board_queries.board(app.catalogue.current.category("global"), period)
        page = await app.board_reader.page(board, Slice(0, 10))
        assert page.total_users == 50
        assert [entry.rank for entry in page.entries] == list(range(1, 11))


async def test_players_without_actions_have_no_score(app: App):
    seeded = await seed(app, users=10, actions=4)
    assert (seeded.users, seeded.transactions, seeded.scores) == (10, 4, 16)
    assert await breaches(app) == []


async def test_seeding_adds_to_what_is_there(app: App):
    await award(app, caller("alice"), 70)
    await seed(app, users=20, actions=20)
    await seed(app, users=20, actions=20)
    assert await rows(app, "SELECT count(*) FROM users") == [(41,)]
    assert await breaches(app) == []


async def test_scores_stop_at_the_cap(settings: Settings):
    async with opened(settings.model_copy(update={"score_cap": 120})) as app:
        await seed(app, users=5, actions=200)
        assert await rows(app, "SELECT DISTINCT score FROM scores") == [(120,)]
        assert await breaches(app) == []


async def test_a_seeding_that_is_interrupted_leaves_whole_players_only(app: App):
    class Stop(Exception):
        """The operator has changed their mind."""

    def stop(done: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        await app.seeding.seed("global", CHUNK_SIZE + 10, CHUNK_SIZE + 10, 1, stop)
    assert await rows(app, "SELECT count(*) FROM users") == [(CHUNK_SIZE,)]
    await app.rebuild.rebuild(app.catalogue.current.category("global"), force=True)
    assert await breaches(app) == []


async def test_demo_players_come_once_and_to_an_empty_database_only(app: App):
    first = await seed_demo(app)
    again = await app.seeding.seed_demo("leaderboard")
    assert first.users == len(DEMO_NAMES)
    assert again == SeedingResult()
    assert await breaches(app) == []


async def test_two_programs_that_start_together_seed_the_demo_players_once(settings: Settings):
    async with open_app(settings) as one, open_app(settings) as other:
        seeded = await asyncio.gather(*(each.seeding.seed_demo("leaderboard") for each in (one, other)))
        assert sorted(each.users for each in seeded) == [0, len(DEMO_NAMES)]


async def test_a_demo_player_goes_on_playing_where_the_made_up_past_ends(app: App):
    await seed_demo(app)
    ada = SubjectIds("leaderboard").user_id("ada")
    ((before,),) = await rows(app, "SELECT score FROM scores WHERE user_id = :u AND period = 'ALL_TIME'", u=ada)
    receipt = await award(app, replace(caller("ada"), user_id=ada), 50)
    assert (receipt.previous_score, receipt.new_score) == (before, before + 50)
    assert await breaches(app) == []


async def test_everything_happened_within_the_days_asked_for(app: App):
    await seed(app, users=50, actions=200, days=7)
    ((first, last),) = await rows(app, "SELECT min(created_at), max(created_at) FROM score_transactions")
    now = app.clock()
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert midnight - timedelta(days=6) <= first <= last <= now


async def test_an_unknown_category_is_refused_before_anything_is_stored(app: App):
    with pytest.raises(CategoryNotFound):
        await app.seeding.seed("chess", 10, 10, 1, lambda done: None)


async def test_a_category_that_adds_nothing_up_is_refused(app: App):
    async with app.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE categories SET operator = 'BEST' WHERE id = 'arcade'")
    await app.catalogue.refresh()
    seeding = Seed(app.database, app.catalogue, runtime_for(app.clock, random=Random(1)))
    with pytest.raises(BadUserInput):
        await seeding.seed("arcade", 10, 10, 1, lambda done: None)
