"""When a store is away: what was acknowledged stays, what was refused left no trace, all end on the truth."""

import asyncio

import pytest
from sqlalchemy import text

from app.config import Settings
from app.domain.boards.board import Source, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.errors import ActionTokenUsed, ServiceUnavailable
from app.services.board_index import BoardNotLoaded
from app.stores.redis_caller import RedisUnreachable
from app.wiring import App
from tests.support.boards.board_pages import read_page
from tests.support.service import caller, opened, settings_for
from tests.support.stores import BreakableServer
from tests.support.wait_until import TIMEOUT


@pytest.fixture
def on_a_breakable_redis(settings: Settings, redis_server: BreakableServer) -> Settings:
    return settings.model_copy(update={"redis_url": redis_server.url})


@pytest.fixture
def on_a_breakable_postgres(postgres_server: BreakableServer, redis_url: str) -> Settings:
    return settings_for(postgres_server.url, redis_url, db_timeout=1.0)


async def eventually(app: App, expected: dict[str, int]) -> None:
    """Wait until Redis itself shows these scores."""
    board = board_of("global", Period.ALL_TIME, app.clock())
    async with asyncio.timeout(TIMEOUT):
        while True:
            try:
                page = await app.board_reader.page(board, Slice(0, 100))
            except (BoardNotLoaded, RedisUnreachable, ServiceUnavailable):
                page = None
            shown = {entry.user.username: entry.score for entry in page.entries} if page else None
            if page and page.source is Source.REDIS and shown == expected:
                return
            await asyncio.sleep(0.05)


async def test_a_submission_is_durable_while_redis_is_away_and_redis_catches_up(
    on_a_breakable_redis: Settings, redis_server: BreakableServer
):
    async with opened(on_a_breakable_redis) as app:
        alice = caller("alice")
        await app.submit_score(alice, (await app.issue_token(alice, "COMPLETE_LEVEL")).token)
        redis_server.kill()
        receipt = await app.submit_score(alice, (await app.issue_token(alice, "COMPLETE_LEVEL")).token)
        assert (receipt.new_score, receipt.current_rank) == (100, None)
        page = await app.board_reader.page(board_of("global", Period.ALL_TIME, app.clock()), Slice(0, 10))
        assert page.source is Source.POSTGRES
        assert [entry.score for entry in page.entries] == [100]
        await redis_server.start()
        await eventually(app, {"alice": 100})
        assert (await read_page(app)).entries[0].score == 100


async def test_what_a_frozen_redis_missed_is_repaired(on_a_breakable_redis: Settings, redis_server: BreakableServer):
    async with opened(on_a_breakable_redis) as app:
        alice, bob = caller("alice"), caller("bob")
        await app.submit_score(alice, (await app.issue_token(alice, "COMPLETE_LEVEL")).token)
        redis_server.freeze()
        receipt = await app.submit_score(bob, (await app.issue_token(bob, "COMPLETE_QUIZ")).token)
        assert (receipt.new_score, receipt.current_rank) == (10, None)
        redis_server.thaw()
        await eventually(app, {"alice": 50, "bob": 10})


async def test_an_emptied_redis_is_filled_again_under_a_new_epoch(app: App):
    alice = caller("alice")
    await app.submit_score(alice, (await app.issue_token(alice, "COMPLETE_LEVEL")).token)
    board = board_of("global", Period.ALL_TIME, app.clock())
    before = await app.board_reader.read_version(board)
    await app.redis.flushdb()
    await eventually(app, {"alice": 50})
    after = await app.board_reader.read_version(board)
    assert after.epoch != before.epoch


async def test_replay_protection_needs_no_redis(on_a_breakable_redis: Settings, redis_server: BreakableServer):
    async with opened(on_a_breakable_redis) as app:
        alice = caller("alice")
        token = (await app.issue_token(alice, "COMPLETE_LEVEL")).token
        await app.submit_score(alice, token)
        redis_server.kill()
        outcomes = await asyncio.gather(*(app.submit_score(alice, token) for _ in range(20)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {ActionTokenUsed}


async def test_nothing_is_acknowledged_without_postgres_and_the_token_stays_good(
    on_a_breakable_postgres: Settings, postgres_server: BreakableServer
):
    async with opened(on_a_breakable_postgres) as app:
        alice = caller("alice")
        await app.submit_score(alice, (await app.issue_token(alice, "COMPLETE_LEVEL")).token)
        token = (await app.issue_token(alice, "COMPLETE_LEVEL")).token
        postgres_server.kill()
        for _ in range(2):  # Three failures open the circuit, and from then on boards are stale.
            with pytest.raises(ServiceUnavailable):
                await app.submit_score(alice, token)
            with pytest.raises(ServiceUnavailable):
                await app.issue_token(alice, "COMPLETE_LEVEL")
        board = await app.board_reader.page(board_of("global", Period.ALL_TIME, app.clock()), Slice(0, 10))
        assert (board.source, board.entries[0].score, board.stale) == (Source.REDIS, 50, True)
        await postgres_server.start()
        async with asyncio.timeout(TIMEOUT):
            while True:
                try:
                    receipt = await app.submit_score(alice, token)
                except ServiceUnavailable:
                    await asyncio.sleep(0.05)
                else:
                    break
        assert receipt.new_score == 100


async def test_requests_to_a_frozen_postgres_end_at_their_timeout(
    on_a_breakable_postgres: Settings, postgres_server: BreakableServer
):
    async with opened(on_a_breakable_postgres) as app:
        alice = caller("alice")
        token = (await app.issue_token(alice, "COMPLETE_LEVEL")).token
        postgres_server.freeze()
        async with asyncio.timeout(TIMEOUT):
            with pytest.raises(ServiceUnavailable):
                await app.submit_score(alice, token)
        postgres_server.thaw()
        async with asyncio.timeout(TIMEOUT):
            while True:
                try:
                    receipt = await app.submit_score(alice, token)
                except ServiceUnavailable:
                    await asyncio.sleep(0.05)
                except ActionTokenUsed as used:  # The frozen server went on with what it had been told.
                    receipt = used.receipt
                    break
                else:
                    break
        assert receipt.new_score == 50


async def test_a_stray_member_in_redis_is_removed_by_reconciliation(app: App):
    alice, bob = caller("alice"), caller("bob")
    for who in (alice, bob):
        await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)
    async with app.database.begin() as connection:
        for table in ("scores", "action_tokens", "score_transactions"):
            await connection.execute(text(f"DELETE FROM {table} WHERE user_id = :bob"), {"bob": bob.user_id})  # noqa: S608
    await app.reconcile.everything()
    await eventually(app, {"alice": 50})


async def test_a_wrong_score_in_redis_is_put_right_by_reconciliation(app: App):
    alice = caller("alice")
    await app.submit_score(alice, (await app.issue_token(alice, "COMPLETE_LEVEL")).token)
    key = f"{app.settings.redis_prefix}:{{global}}:ALL_TIME"
    (member,) = await app.redis.zrange(key, 0, -1)
    await app.redis.zadd(key, {member: -999})
    await app.reconcile.everything()
    await eventually(app, {"alice": 50})
