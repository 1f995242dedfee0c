"""Milestones: each once, exactly, whatever runs at the same time; announced after the commit."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from sqlalchemy import text

from app.config import Settings
from app.domain.players.milestones import Milestone, MilestoneKind
from app.domain.users import Caller
from app.wiring import App
from tests.support.service import caller, opened
from tests.support.wait_until import TIMEOUT

ROWS = text("SELECT kind, threshold, reached_at FROM milestones WHERE user_id = :user ORDER BY kind, threshold")


async def play(app: App, who: Caller, times: int = 1, action: str = "COMPLETE_LEVEL") -> None:
    for _ in range(times):
        await app.submit_score(who, (await app.issue_token(who, action)).token)


async def awarded(app: App, who: Caller) -> list[tuple[str, int]]:
    await app.ledger.drain()
    await app.milestones.flush()
    async with app.database.connect() as connection:
        return [(row.kind, row.threshold) for row in await connection.execute(ROWS, {"user": who.user_id})]


async def first_of(milestones: AsyncGenerator[Milestone, None], count: int) -> list[Milestone]:
    async with asyncio.timeout(TIMEOUT), aclosing(milestones):
        return [await anext(milestones) for _ in range(count)]


async def test_a_threshold_is_awarded_by_the_posting_that_crosses_it(app: App):
    alice = caller()
    await play(app, alice)
    assert ("SCORE", 100) not in await awarded(app, alice)
    await play(app, alice)
    async with app.database.connect() as connection:
        reached = await connection.execute(text("SELECT reached_at FROM milestones WHERE kind = 'SCORE'"))
        last = await connection.execute(text("SELECT max(created_at) FROM score_transactions"))
        assert reached.scalar_one() == last.scalar_one(), "it was reached when the transaction was made"


async def test_a_posting_that_crosses_several_thresholds_is_awarded_each(settings: Settings):
    async with opened(settings) as app:
        async with app.database.begin() as connection:
            await connection.execute(text("UPDATE actions SET points = 700 WHERE id = 'COMPLETE_LEVEL'"))
        await app.catalogue.refresh()
        alice = caller()
        await play(app, alice)
        assert await awarded(app, alice) == [("FIRST_PLACE", 0), ("SCORE", 100), ("SCORE", 500), ("TOP_TEN", 0)]


async def test_each_milestone_is_awarded_once_however_many_actions_run_at_once_on_two_instances(settings: Settings):
    async with opened(settings) as one, opened(settings) as other:
        watching = one.hub.watch_milestones()
        heard = asyncio.create_task(first_of(watching, 5))
        alice = caller()
        tokens = [(await one.issue_token(alice, "COMPLETE_LEVEL")).token for _ in range(20)]
        await asyncio.gather(
            *((one, other)[index % 2].submit_score(alice, token) for index, token in enumerate(tokens))
        )
        await awarded(other, alice)
        expected = [("FIRST_PLACE", 0), ("SCORE", 100), ("SCORE", 500), ("SCORE", 1000), ("TOP_TEN", 0)]
        assert await awarded(one, alice) == expected
        news = await heard
        assert sorted((milestone.kind.value, milestone.threshold or 0) for milestone in news) == expected
        assert {milestone.user.username for milestone in news} == {"alice"}


async def test_only_the_first_ten_enter_the_top_ten_and_only_one_the_first_place(app: App):
    users = [caller(f"user {number}") for number in range(12)]
    for user in users:
        await play(app, user)
    kinds = [[kind for kind, _ in await awarded(app, user)] for user in users]
    assert kinds == [["FIRST_PLACE", "TOP_TEN"], *[["TOP_TEN"]] * 9, [], []]
    await play(app, users[11])
    assert await awarded(app, users[11]) == [("FIRST_PLACE", 0), ("SCORE", 100), ("TOP_TEN", 0)]


async def test_a_milestone_that_was_lost_by_a_crash_is_awarded_by_the_repair(app: App):
    alice = caller()
    await play(app, alice)
    await awarded(app, alice)
    async with app.database.begin() as connection:
        await connection.execute(text("DELETE FROM milestones"))
    assert await app.milestones.repair() == 2
    assert await awarded(app, alice) == [("FIRST_PLACE", 0), ("TOP_TEN", 0)]
    assert await app.milestones.repair() == 0


async def test_a_leader_who_stays_first_causes_no_further_writes(app: App):
    alice = caller()
    await play(app, alice)
    await awarded(app, alice)
    async with app.database.begin() as connection:
        await connection.execute(text("DELETE FROM milestones"))
    await play(app, alice)
    kinds = {kind for kind, _ in await awarded(app, alice)}
    assert kinds == {MilestoneKind.SCORE.value}, "ranks that this process has awarded are not written again"


async def test_a_hidden_user_reaches_no_rank(app: App):
    alice = caller()
    await app.users.ensure(alice)
    async with app.database.begin() as connection:
        await connection.execute(text("UPDATE users SET hidden_at = now()"))
    await play(app, alice)
    assert await awarded(app, alice) == []
