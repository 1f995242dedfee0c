"""The copies of boards in Redis are trusted only if they are whole, current and of the node that has them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from structlog.testing import capture_logs

from app.config import Settings
from app.domain.boards.board import Board, Page, Source, Version, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Head, Slice, State, View
from app.domain.errors import ActionTokenUsed, ServiceUnavailable
from app.models.statements.boards.copies import read_origin
from app.pubsub.channels.events import decode_boards
from app.pubsub.feed.board_reader import BoardReader
from app.runtime import Runtime
from app.services.board_index import BoardNotLoaded, Keys
from app.services.board_index.layout import windows_in_index
from app.services.board_index.missed_writes import MissedWrites
from app.services.boards.postgres_reader import PostgresReader
from app.stores.redis_caller import RedisUnreachable
from app.wiring import App, open_app
from tests.support.boards.award_points import MODERATOR, award, enlist
from tests.support.boards.board_rows import board_index_of, user_id
from tests.support.manual_clock import WallClock
from tests.support.service import BOARD, caller, opened, serving, settings_for
from tests.support.stores import BreakableServer, unanswered_commits
from tests.support.wait_until import TIMEOUT, until, until_answer

PERIODS = (Period.ALL_TIME, Period.DAILY)


@pytest.fixture
def on_a_breakable_redis(settings: Settings, redis_server: BreakableServer) -> Settings:
    return settings.model_copy(update={"redis_url": redis_server.url})


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


def open_board(app: App, period: Period = Period.ALL_TIME) -> Board:
    return board_of("global", period, app.clock())


async def page_of(app: App, board: Board) -> Page:
    return await app.board_reader.page(board, Slice(0, 100))


async def shown(app: App, board: Board) -> tuple[Source, list[int]]:
    page = await page_of(app, board)
    return page.source, [entry.score for entry in page.entries]


async def dump(redis: Redis) -> dict[bytes, bytes]:
    """Return the content of every key, as a snapshot file has it."""
    return {key: await redis.dump(key) for key in await redis.keys("*")}


async def loaded_again(app: App, board: Board) -> list[int]:
    """Load what must be loaded, over connections of which some are from before a restart; return what Redis shows."""

    async def attempt() -> tuple[Source, list[int]]:
        with suppress(RedisUnreachable):
            await app.rebuild.ensure_loaded()
        return await shown(app, board)

    _, scores = await until_answer(attempt, lambda answer: answer[0] is Source.REDIS)
    return scores


async def restart_from(content: dict[bytes, bytes], redis: Redis, server: BreakableServer) -> None:
    """Restart the server with the content of a snapshot."""
    await server.restart()
    for key, value in content.items():
        await until_restored(redis, key, value)


async def until_answers(call: Callable[[], Awaitable[Version]]) -> Version:
    """Repeat a call for as long as its connection is one from before a restart."""
    while True:
        with suppress(RedisUnreachable):
            return await call()


async def until_restored(redis: Redis, key: bytes, value: bytes) -> None:
    async def restore() -> bool:
        try:
            await redis.restore(key, 0, value, replace=True)
        except RedisError:  # A connection from before the restart.
            return False
        return True

    await until_answer(restore, bool)


async def test_a_server_restarted_from_an_old_dump_is_not_believed_for_a_single_read(
    on_a_breakable_redis: Settings, redis_server: BreakableServer
):
    async with opened(on_a_breakable_redis, housekeeping=False) as app:
        await enlist(app, 1)
        await award(app, 1, 50)
        old = await dump(app.redis)
        await award(app, 1, 30)
        await restart_from(old, app.redis, redis_server)
        board = open_board(app)
        assert await shown(app, board) == (Source.POSTGRES, [80])
        with pytest.raises(BoardNotLoaded):
            await until_answers(lambda: board_index_of(app).version(board))
        await award(app, 1, 5)  # Puts do not touch the old copy either.
        assert await shown(app, board) == (Source.POSTGRES, [85])
        assert await loaded_again(app, board) == [85]


async def test_an_old_dump_does_not_revive_closed_windows(
    on_a_breakable_redis: Settings, redis_server: BreakableServer, clock: WallClock
):
    async with opened(on_a_breakable_redis, clock, housekeeping=False) as app:
        await enlist(app, 1)
        await award(app, 1, 50)
        yesterday = open_board(app, Period.DAILY)
        old = await dump(app.redis)
        await award(app, 1, 30)
        clock.advance(days=1)
        assert await shown(app, yesterday) == (Source.REDIS, [80])
        await restart_from(old, app.redis, redis_server)
        assert await shown(app, yesterday) == (Source.POSTGRES, [80])
        assert await loaded_again(app, open_board(app)) == [80]
        assert await shown(app, yesterday) == (Source.POSTGRES, [80])


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("lost", ["order", "members", "both"])
async def test_a_board_that_lost_a_part_is_read_from_postgresql_until_it_is_whole_again(
    settings: Settings, period: Period, lost: str
):
    async with opened(settings, housekeeping=False) as app:
        await enlist(app, 1, 2, 3)
        for number in (1, 2, 3):
            await award(app, number, 10 * number)
        board, keys = open_board(app, period), Keys(app.settings.redis_prefix)
        names = {"order": [keys.order(board)], "members": [keys.members(board)]}
        await app.redis.delete(*names.get(lost, [keys.order(board), keys.members(board)]))
        assert await shown(app, board) == (Source.POSTGRES, [30, 20, 10])
        await award(app, 1, 100)  # One submission does not make a board of one player.
        for one in PERIODS:
            assert await shown(app, open_board(app, one)) == (Source.POSTGRES, [110, 30, 20])
        await app.rebuild.ensure_loaded()
        assert await shown(app, board) == (Source.REDIS, [110, 30, 20])


async def test_a_single_member_that_is_gone_makes_a_board_incomplete(settings: Settings):
    async with opened(settings, housekeeping=False) as app:
        await enlist(app, 1, 2)
        await award(app, 1, 10)
        await award(app, 2, 20)
        board = open_board(app)
        await app.redis.zremrangebyrank(Keys(app.settings.redis_prefix).order(board), 0, 0)
        assert await shown(app, board) == (Source.POSTGRES, [20, 10])


async def test_a_running_service_loads_an_evicted_board_by_itself(app: App):
    await enlist(app, 1)
    await award(app, 1, 10)
    board, keys = open_board(app), Keys(app.settings.redis_prefix)
    await app.redis.delete(keys.order(board), keys.members(board))

    async def read() -> tuple[Source, list[int]]:
        return await shown(app, board)

    await until_answer(read, lambda answer: answer == (Source.REDIS, [10]))


async def test_boards_with_nobody_on_them_are_whole(settings: Settings, clock: WallClock):
    async with opened(settings, clock, housekeeping=False) as app:
        assert await shown(app, open_board(app)) == (Source.REDIS, [])
        await enlist(app, 1)
        await award(app, 1, 10)
        await app.moderation.visibility.hide(MODERATOR, user_id(1), "cheats")
        assert await shown(app, open_board(app)) == (Source.REDIS, [])
        clock.advance(days=1)
        assert await shown(app, open_board(app, Period.DAILY)) == (Source.REDIS, [])
        yesterday = board_of("global", Period.DAILY, clock.now - timedelta(days=1))
        assert await app.redis.ttl(Keys(settings.redis_prefix).members(yesterday)) > 0


async def test_a_rebuild_leaves_no_window_of_an_earlier_epoch(settings: Settings, clock: WallClock):
    async with opened(settings, clock, housekeeping=False) as app:
        await enlist(app, 1)
        await award(app, 1, 10)
        yesterday = open_board(app, Period.DAILY)
        clock.advance(days=1)
        category = app.catalogue.current.category("global")
        assert yesterday in windows_in_index(category, clock.now)
        await app.rebuild.rebuild(category, force=True)
        assert not await app.redis.exists(Keys(app.settings.redis_prefix).order(yesterday))
        assert await shown(app, yesterday) == (Source.POSTGRES, [10])


Refusal = Callable[[Redis], Awaitable[object]]

REFUSALS: dict[str, tuple[Refusal, Refusal]] = {
    "NOREPLICAS": (
        lambda redis: redis.config_set("min-replicas-to-write", 1),
        lambda redis: redis.config_set("min-replicas-to-write", 0),
    ),
    "OOM": (
        lambda redis: redis.config_set("maxmemory", 1),
        lambda redis: redis.config_set("maxmemory", 0),
    ),
    "READONLY": (
        lambda redis: redis.execute_command("REPLICAOF", "127.0.0.1", "1"),
        lambda redis: redis.execute_command("REPLICAOF", "NO", "ONE"),
    ),
}


@pytest.mark.parametrize("code", REFUSALS)
async def test_a_redis_that_refuses_writes_is_not_read_here_and_elsewhere_until_it_is_repaired(
    on_a_breakable_redis: Settings, code: str
):
    refuse, accept = REFUSALS[code]
    async with (
        opened(on_a_breakable_redis, housekeeping=False) as writer,
        opened(on_a_breakable_redis, housekeeping=False) as reader,
    ):
        await enlist(writer, 1)
        await award(writer, 1, 50)
        board = open_board(writer)
        await refuse(writer.redis)
        await award(writer, 1, 30)
        assert await shown(writer, board) == (Source.POSTGRES, [80])
        await until(lambda: not reader.missed_writes.is_complete("global"))
        assert await shown(reader, board) == (Source.POSTGRES, [80])
        assert await shown(writer, board) == (Source.POSTGRES, [80])
        await accept(writer.redis)
        for app in (writer, reader):

            async def read(app: App = app) -> tuple[Source, list[int]]:
                answer = await shown(app, board)
                assert answer[1] == [80], "the old copy was trusted"
                return answer

            await until_answer(read, lambda answer: answer[0] is Source.REDIS)


async def test_missed_writes_outlive_the_process_that_missed_them(on_a_breakable_redis: Settings):
    async with opened(on_a_breakable_redis, housekeeping=False) as writer:
        await enlist(writer, 1)
        await award(writer, 1, 50)
        await writer.redis.config_set("min-replicas-to-write", 1)
        await award(writer, 1, 30)
    async with open_app(on_a_breakable_redis, housekeeping=False) as other:
        board = open_board(other)
        assert await shown(other, board) == (Source.POSTGRES, [80])
        await other.redis.config_set("min-replicas-to-write", 0)
        assert await shown(other, board) == (Source.POSTGRES, [80])
        async with other.database.begin() as connection:  # As if its heartbeat had stopped a while ago.
            await connection.execute(text("UPDATE missed_writes SET renewed_at = now() - interval '1 hour'"))

        async def read() -> tuple[Source, list[int]]:
            return await shown(other, board)

        await until_answer(read, lambda answer: answer[0] is Source.REDIS)
        assert await shown(other, board) == (Source.REDIS, [80])
        assert await recorded(other) == 0


async def test_what_is_missed_during_a_repair_is_still_to_be_repaired(app: App):
    missed = MissedWrites(app.database, board_index_of(app), uuid4(), lambda: None)
    times = [app.clock() - timedelta(seconds=seconds) for seconds in (60, 30)]
    await missed.record("global", times[0])
    asked: list[datetime] = []

    async def miss_another(since: datetime) -> None:
        asked.append(since)
        await missed.record("global", times[1])

    async def repair(since: datetime) -> None:
        asked.append(since)

    await missed.repair(miss_another)
    assert not missed.is_complete("global")
    assert await recorded(app) == 1
    await missed.repair(repair)
    assert missed.is_complete("global")
    assert await recorded(app) == 0
    assert asked == [times[0], times[0]]


async def recorded(app: App) -> int:
    """Return how many missed writes all instances know of."""
    async with app.database.connect() as connection:
        rows: int = (await connection.execute(text("SELECT count(*) FROM missed_writes"))).scalar_one()
    return rows


async def test_an_incomplete_copy_is_shown_as_stale_if_postgresql_does_not_answer_either(
    postgres_server: BreakableServer, redis_url: str
):
    async with opened(settings_for(postgres_server.url, redis_url, db_timeout=1.0), housekeeping=False) as app:
        await enlist(app, 1)
        await award(app, 1, 10)
        await app.missed_writes.record("global", app.clock())
        assert (await page_of(app, open_board(app))).source is Source.POSTGRES
        postgres_server.kill()
        page = await read_head(app.board_reader, open_board(app))
        assert (page.source, page.stale, page.entries[0].score) == (Source.REDIS, True, 10)


async def test_a_commit_without_an_answer_reaches_redis_although_nobody_was_told_of_it(
    postgres_server: BreakableServer, redis_url: str
):
    async with opened(settings_for(postgres_server.url, redis_url), housekeeping=False) as app:
        await enlist(app, 1)
        await award(app, 1, 10)
        async with unanswered_commits(postgres_server.url):
            with pytest.raises(ServiceUnavailable):
                await award(app, 1, 20)
        await until_answer(lambda: shown(app, open_board(app)), lambda answer: answer == (Source.REDIS, [30]))


async def test_a_board_shows_what_the_receipt_of_a_repeat_says_though_the_first_instance_was_never_answered(
    postgres_server: BreakableServer, redis_url: str
):
    settings, alice = settings_for(postgres_server.url, redis_url), caller("alice")
    async with opened(settings, housekeeping=False) as other:
        async with opened(settings, housekeeping=False) as one:
            token = (await one.issue_token(alice, "COMPLETE_LEVEL")).token
            async with unanswered_commits(postgres_server.url):
                with pytest.raises(ServiceUnavailable):
                    await one.submit_score(alice, token)
        with pytest.raises(ActionTokenUsed) as repeat:
            await other.submit_score(alice, token)
        assert repeat.value.receipt.new_score == 50
        for period in (Period.ALL_TIME, Period.DAILY):
            assert await shown(other, open_board(other, period)) == (Source.REDIS, [50])


async def test_a_new_leader_puts_what_no_instance_has_noted_however_long_ago(settings: Settings):
    async with opened(settings, housekeeping=False) as app:
        await enlist(app, 1)
        await award(app, 1, 50)
        keys = Keys(settings.redis_prefix)
        old = await dump(app.redis)
        await award(app, 1, 30)  # Its writer crashed right before it wrote to Redis, an hour ago.
        for key, value in old.items():
            await app.redis.restore(key, 0, value, replace=True)
        async with app.database.begin() as connection:
            await connection.execute(text("UPDATE score_transactions SET created_at = created_at - interval '1 hour'"))
        hour_ago = int(await app.redis.hget(keys.meta("global"), "repaired") or 0) - 3_700_000_000
        await app.redis.hset(keys.meta("global"), "repaired", hour_ago)
        await app.reconcile.recent()
        assert await shown(app, open_board(app)) == (Source.REDIS, [80])
        assert int(await app.redis.hget(keys.meta("global"), "repaired") or 0) > hour_ago + 3_600_000_000


async def test_a_postgresql_that_lost_transactions_makes_the_boards_new(settings: Settings):
    async with opened(settings, housekeeping=False) as app:
        await enlist(app, 1)
        await award(app, 1, 50)
        board = open_board(app)
        before = await app.board_reader.read_version(board)
        await restore_backup_without_the_last_points(app, 1, 30)
        await app.rebuild.ensure_loaded()
        assert await shown(app, board) == (Source.REDIS, [50])
        assert (await app.board_reader.read_version(board)).epoch != before.epoch
        assert app.rebuild.rebuilds["lost_transactions"] == 1
        receipt = await award(app, 1, 5)
        assert (receipt.previous_score, receipt.new_score, receipt.current_rank) == (50, 55, 1)
        await app.rebuild.ensure_loaded()
        assert app.rebuild.rebuilds["lost_transactions"] == 1


async def restore_backup_without_the_last_points(app: App, number: int, points: int) -> None:
    """Award points, and bring PostgreSQL back to where it was before."""
    user = {"user": user_id(number)}
    async with app.database.begin() as connection:
        await connection.execute(text("CREATE TABLE backup AS SELECT * FROM scores WHERE user_id = :user"), user)
    receipt = await award(app, number, points)
    async with app.database.begin() as connection:
        last = {"id": receipt.transaction_id}
        await connection.execute(text("DELETE FROM score_transactions WHERE id = :id"), last)
        await connection.execute(text("DELETE FROM scores WHERE user_id = :user"), user)
        await connection.execute(text("INSERT INTO scores SELECT * FROM backup"))


async def test_a_backup_that_is_found_by_one_instance_empties_the_caches_of_all(settings: Settings):
    async with opened(settings, housekeeping=False) as one, opened(settings, housekeeping=False) as other:
        await enlist(one, 1)
        await award(one, 1, 50)
        await other.profiles.get([user_id(1)])
        key = f"{settings.redis_prefix}:profile:*"
        assert await one.redis.keys(key)
        async with one.database.begin() as connection:
            await connection.execute(text("UPDATE users SET username = 'as-in-the-backup'"))
        await restore_backup_without_the_last_points(one, 1, 30)
        generation = other.profile_generation.current
        await one.rebuild.ensure_loaded()
        await until(lambda: other.profile_generation.current != generation)
        for app in (one, other):
            assert (await app.profiles.get([user_id(1)]))[user_id(1)].username == "as-in-the-backup"


@pytest.mark.parametrize("other", ["1/00000009", "{identifier}/00000000", ""])
async def test_boards_that_were_loaded_from_another_postgresql_are_made_new(settings: Settings, other: str):
    async with opened(settings, housekeeping=False) as app:
        await enlist(app, 1)
        await award(app, 1, 50)
        meta = Keys(settings.redis_prefix).meta("global")
        origin = (await app.redis.hget(meta, "origin") or b"").decode()
        identifier, timeline = origin.split("/")
        assert (int(identifier) > 0, len(timeline)) == (True, 8)
        await app.redis.hset(meta, "origin", other.format(identifier=identifier))
        await app.rebuild.ensure_loaded()
        assert await app.redis.hget(meta, "origin") == origin.encode()
        assert app.rebuild.rebuilds["other_postgresql"] == 1
        assert await shown(app, open_board(app)) == (Source.REDIS, [50])


async def test_a_former_primary_does_not_undo_what_was_loaded_from_its_successor(settings: Settings):
    async with opened(settings, housekeeping=False) as app:
        meta = Keys(settings.redis_prefix).meta("global")
        identifier = (await app.redis.hget(meta, "origin") or b"").decode().split("/")[0]
        await app.redis.hset(meta, "origin", f"{identifier}/000000FF")
        await app.rebuild.ensure_loaded()
        assert app.rebuild.rebuilds["other_postgresql"] == 0


async def test_without_the_permission_the_timeline_alone_identifies_postgresql(settings: Settings):
    async with opened(settings, housekeeping=False) as app, app.database.engine.connect() as connection:
        await connection.execute(text("CREATE ROLE nobody_special"))
        await connection.execute(text("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC"))
        await connection.execute(text("SET LOCAL ROLE nobody_special"))
        origin = await read_origin(connection)
        assert origin is not None
        assert origin.startswith("unknown/0000000")
        await connection.rollback()


async def test_a_profile_that_redis_did_not_take_never_returns(
    on_a_breakable_redis: Settings, redis_server: BreakableServer
):
    async with (
        opened(on_a_breakable_redis, housekeeping=False) as one,
        opened(on_a_breakable_redis, housekeeping=False) as other,
    ):
        alice = caller("alice")
        await one.users.ensure(alice)
        for app in (one, other):
            assert (await app.profiles.get([alice.user_id]))[alice.user_id].username == "alice"
        old = await dump(one.redis)
        redis_server.kill()
        await one.users.ensure(replace(alice, username="alicia"))
        await restart_from(old, one.redis, redis_server)
        await until(lambda: other.profile_generation.current == one.profile_generation.current)
        assert one.profile_generation.current
        for app in (one, other):
            await until(lambda app=app: not app.redis_caller.breaker.is_open)  # type: ignore[misc]
            app.profiles.invalidate_all()
            assert (await app.profiles.get([alice.user_id]))[alice.user_id].username == "alicia"


async def test_each_window_is_an_epoch_of_its_own_in_both_stores(settings: Settings, clock: WallClock):
    async with opened(settings, clock, housekeeping=False) as app:
        await enlist(app, 1)
        for _ in range(3):
            await award(app, 1, 10)
        readers: tuple[BoardReader, ...] = (app.board_reader, postgres_reader_of(app))
        today = [(await read_head(reader, open_board(app, Period.DAILY))).version for reader in readers]
        clock.advance(days=1)
        tomorrow = [(await read_head(reader, open_board(app, Period.DAILY))).version for reader in readers]
        assert tomorrow[0].number < today[0].number
        assert all(before.epoch != after.epoch for before, after in zip(today, tomorrow, strict=True))


async def test_changes_are_announced_under_the_epoch_that_readers_see(settings: Settings):
    async with opened(settings, housekeeping=False) as app:
        await enlist(app, 1)
        await award(app, 1, 10)
        board = open_board(app, Period.DAILY)
        async with app.redis.pubsub() as channel:
            await channel.ssubscribe(Keys(settings.redis_prefix).channel("global"))
            await award(app, 1, 10)
            async with asyncio.timeout(TIMEOUT):
                while (message := await channel.get_message(ignore_subscribe_messages=True, timeout=1)) is None:
                    pass
        moves = decode_boards("global", message["data"].decode()) or ()
        announced = {one.board: one.version for one in moves}
        assert announced[board.key] == await app.board_reader.read_version(board)


async def test_without_redis_an_instance_shows_its_own_writes_at_once(
    on_a_breakable_redis: Settings, redis_server: BreakableServer
):
    async with opened(on_a_breakable_redis, housekeeping=False) as app:
        await enlist(app, 1)
        redis_server.kill()
        for points in range(1, 20):
            await award(app, 1, 10)
            head = await app.hub.fresh_page("global", Period.ALL_TIME, Slice(0, 10))
            beyond = await app.board_reader.page(open_board(app), Slice(0, 100))
            assert head is not None
            assert [entry.score for entry in head.page.entries] == [10 * points]
            assert [entry.score for entry in beyond.entries] == [10 * points]


async def test_without_redis_equal_queries_share_a_read_and_feeds_do_not_use_it(
    on_a_breakable_redis: Settings, redis_server: BreakableServer
):
    async with opened(on_a_breakable_redis, housekeeping=False) as app:
        await enlist(app, 1)
        await award(app, 1, 10)
        redis_server.kill()
        board, view = open_board(app), Slice(0, 100)
        first = await app.board_reader.page(board, view)
        assert (await app.board_reader.page(board, view)).version == first.version
        (read,) = await app.board_reader.read_views(board, [view])
        assert isinstance(read, Page)
        assert read.version.number > first.version.number
        assert (await app.board_reader.page(board, view)).version.number > read.version.number


async def read_head(reader: BoardReader, board: Board) -> Page:
    (page,) = await reader.read_views(board, [Head()])
    assert isinstance(page, Page)
    return page


async def test_copies_whose_versions_went_back_are_made_new_once(settings: Settings):
    async with opened(settings, housekeeping=False) as app:
        await enlist(app, 1)
        await award(app, 1, 10)
        board = open_board(app)
        version = await app.board_reader.read_version(board)
        app.board_reader.report_regression(board, version)
        for _ in range(2):
            await app.rebuild.ensure_loaded()
        assert app.rebuild.rebuilds["regressed"] == 1
        assert (await app.board_reader.read_version(board)).epoch != version.epoch


async def test_a_redis_user_who_may_not_call_info_leaves_boards_to_postgresql_and_the_log_names_it(
    on_a_breakable_redis: Settings,
):
    async with opened(on_a_breakable_redis, housekeeping=False) as app:
        await enlist(app, 1)
        await award(app, 1, 10)
        await app.redis.execute_command("ACL", "SETUSER", "default", "-info")
        with capture_logs() as logs:
            assert await shown(app, open_board(app)) == (Source.POSTGRES, [10])
        (line,) = [one for one in logs if one["event"] == "redis_call_failed"]
        assert "permitted to call INFO" in line["cause"]


async def test_readiness_says_degraded_for_as_long_as_redis_lacks_something(on_a_breakable_redis: Settings):
    async with serving(on_a_breakable_redis) as service:
        player = service.player("alice")
        await player.play()
        await service.app.redis.config_set("min-replicas-to-write", 1)
        await player.play()
        answer = (await service.http.get("/readyz")).json()
        assert (answer["status"], answer["checks"]["redis"], answer["checks"]["boards"]) == ("degraded", True, False)
        board = (await service.anonymous.ask(BOARD))["leaderboard"]
        assert (board["source"], board["stale"], board["entries"][0]["score"]) == ("POSTGRES", False, 100)
        await service.app.redis.config_set("min-replicas-to-write", 0)

        async def status() -> str:
            answer: str = (await service.http.get("/readyz")).json()["status"]
            return answer

        await until_answer(status, lambda one: one == "ok")
        board = (await service.anonymous.ask(BOARD))["leaderboard"]
        assert (board["stale"], board["entries"][0]["score"]) == (False, 100)


class PostgresOnly:
    """Reads boards as a process does that has no Redis."""

    def __init__(self, app: App) -> None:
        self._reader = PostgresReader(
            app.database, app.database, app.database, app.profiles, Runtime(clock=app.clock), "postgres"
        )

    async def read_views(self, board: Board, views: Sequence[View[Any]]) -> Sequence[State]:
        """Read from PostgreSQL."""
        return await self._reader.read(board, views)

    async def read_version(self, board: Board) -> Version:
        """Refuse, as there is no version."""
        raise ServiceUnavailable

    def report_regression(self, board: Board, version: Version) -> None:
        """Do nothing, as there is no copy."""


def postgres_reader_of(app: App) -> BoardReader:
    return PostgresOnly(app)
