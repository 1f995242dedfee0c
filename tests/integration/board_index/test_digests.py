"""Reconciliation by digests: the same sums in Redis, in PostgreSQL and by the rule; only what differs is read."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from app.config import Settings
from app.domain.boards.board import Board, board_of
from app.domain.boards.digests import BoardDigests, bucket_of, row_digest
from app.domain.boards.periods import Period
from app.domain.ledger.transactions import Actor
from app.models.statements.boards.board_rows import read_rows
from app.models.statements.boards.digests import read_digests, read_total_digest
from app.services.board_index.layout import Keys
from app.wiring import App
from tests.support.boards.board_pages import read_page
from tests.support.boards.shards import SHARDS, index_loader_of, parts_of, split
from tests.support.service import caller, opened


@pytest.fixture(params=[1, SHARDS], ids=["unsplit", "split"])
async def app(app: App, request: pytest.FixtureRequest) -> App:
    """The services, also with a category that is split."""
    if request.param > 1:
        await split(app, request.param)
    return app


async def play(app: App, *names: str) -> list[UUID]:
    """Let players finish an action each; return their ids."""
    users = []
    for name in names:
        who = caller(name)
        await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)
        users.append(who.user_id)
    return users


def board(app: App, period: Period = Period.ALL_TIME) -> Board:
    return board_of("global", period, app.clock())


async def digests_of_rows(app: App, board: Board) -> BoardDigests:
    """Add up the digests of all rows by the rule."""
    sums: dict[int, int] = {}
    async with app.database.connect() as connection:
        for row in await read_rows(connection, board, None, 10_000):
            bucket = bucket_of(row.user_id)
            sums[bucket] = sums.get(bucket, 0) + row_digest(row.user_id, row.row.revision)
    return BoardDigests(sums)


async def assert_all_digests_are_equal(app: App) -> None:
    for period in Period:
        one = board(app, period)
        expected = await digests_of_rows(app, one)
        rows, indexed = await index_loader_of(app).digests(one)
        async with app.database.connect() as connection:
            assert await read_total_digest(connection, one) == (rows, expected.total)
            assert not expected.differing(await read_digests(connection, one))
        assert not expected.differing(indexed)


async def test_redis_postgresql_and_the_rule_have_the_same_digests(app: App):
    users = await play(app, *(f"player-{number}" for number in range(20)))
    await assert_all_digests_are_equal(app)
    moderator = Actor(uuid4(), "moderator")
    await app.moderation.visibility.hide(moderator, users[3], "a test")
    await app.moderation.deletion(moderator, users[4], "a test")
    await play(app, "late")
    await assert_all_digests_are_equal(app)


async def test_a_rebuilt_board_has_the_same_digests(app: App):
    await play(app, *(f"player-{number}" for number in range(20)))
    await app.rebuild.rebuild(app.catalogue.current.category("global"), force=True)
    await assert_all_digests_are_equal(app)


async def test_a_removed_stray_leaves_no_digest(app: App):
    (stray, _) = await play(app, "stray", "kept")
    async with app.database.begin() as connection:
        for table in ("scores", "action_tokens", "score_transactions"):
            await connection.execute(text(f"DELETE FROM {table} WHERE user_id = :user"), {"user": stray})  # noqa: S608
    await app.reconcile.everything()
    await assert_all_digests_are_equal(app)
    assert [entry.user.username for entry in (await read_page(app)).entries] == ["kept"]


async def test_a_missed_row_is_found_among_many_by_its_bucket(settings: Settings):
    async with opened(settings, housekeeping=False) as app:
        users = await play(app, *(f"player-{number}" for number in range(30)))
        async with app.database.begin() as connection:  # As if Redis had missed the change.
            await connection.execute(
                text(
                    "UPDATE scores SET score = 70, sort_key = -70, revision = revision + 1 "
                    "WHERE user_id = :user AND period = 'ALL_TIME'"
                ),
                {"user": users[7]},
            )
        with capture_logs() as logs:
            await app.reconcile.everything()
        assert (await read_page(app)).entries[0].score == 70
        corrected = [line for line in logs if line["event"] == "board_rows_corrected"]
        assert sum(line["rows"] for line in corrected) == app.reconcile.rows_corrected
        assert app.reconcile.rows_corrected == sum(bucket_of(user) == bucket_of(users[7]) for user in users)
        await assert_all_digests_are_equal(app)


async def test_nothing_is_read_while_nothing_differs(app: App):
    await play(app, *(f"player-{number}" for number in range(5)))
    await app.reconcile.everything()
    assert (app.reconcile.rows_corrected, app.reconcile.uncorrected) == (0, 0)


@pytest.mark.parametrize("lost", ["digests", "one digest"])
async def test_a_board_whose_digests_were_lost_is_loaded_again(app: App, lost: str):
    await play(app, *(f"player-{number}" for number in range(12)))  # In every shard.
    key = Keys(app.settings.redis_prefix).digests(parts_of(app, board(app))[-1])
    if lost == "digests":
        await app.redis.delete(key)
    else:
        (field, *_) = await app.redis.hkeys(key)
        await app.redis.hdel(key, field)
    await app.reconcile.everything()
    assert app.reconcile.uncorrected == 1
    await assert_all_digests_are_equal(app)


def test_an_older_revision_changes_the_digest_of_every_user():
    for _ in range(100):
        user = uuid4()
        assert len({row_digest(user, revision) for revision in range(50)}) == 50
