"""Changing the number of shards of a category that has scores, with no instance running."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.config import Settings
from app.domain.boards.board import Source, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.errors import BadUserInput
from app.domain.ledger.transactions import Actor
from app.services.board_index import Keys
from app.stores.lease import Lease
from app.wiring import App
from tests.support.boards.ledgers import award
from tests.support.service import caller, opened

OPERATOR = Actor(None, "operator")

PLAYERS = [caller(f"player-{number}") for number in range(12)]


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    """The services as a command has them, without jobs."""
    async with opened(settings, housekeeping=False) as app:
        yield app


async def change(app: App, shards: int) -> int | None:
    return await app.change_shards("global", shards, OPERATOR, "for the test", lambda _: None)


async def scores(app: App) -> list[int]:
    page = await app.board_reader.page(board_of("global", Period.ALL_TIME, app.clock()), Slice(0, 100))
    assert page.source is Source.REDIS
    return [entry.score for entry in page.entries]


async def keys_of_boards(app: App) -> set[str]:
    """The hash tags, without numbers, of the keys that the category has."""
    found = [key.decode() async for key in app.redis.scan_iter(f"{app.settings.redis_prefix}:{{global*:ALL_TIME")]
    return {key.partition("{")[2].rpartition("}")[0] for key in found}


async def test_the_boards_are_the_same_in_one_shard_in_three_and_in_one_again(app: App):
    for number, player in enumerate(PLAYERS, 1):
        await award(app, player, number)
    assert await keys_of_boards(app) == {"global"}
    assert await change(app, 3) == 48  # Rows of four boards.
    assert await scores(app) == list(range(12, 0, -1))
    assert {key.rpartition("/")[0] for key in await keys_of_boards(app)} == {"global/3/0", "global/3/1", "global/3/2"}
    await award(app, PLAYERS[0], 50)
    assert await change(app, 3) is None
    assert await change(app, 1) == 48
    assert await scores(app) == [51, *range(12, 1, -1)]
    assert await keys_of_boards(app) == {"global"}
    for result in await app.verify.run(lambda *_: None):
        assert not result.violations
    changes, _ = await app.catalogue_changes.changes(10)
    assert [one.change.after["shards"] for one in changes] == [1, 3]


async def test_copies_that_an_earlier_change_left_behind_are_not_taken_for_present_ones(app: App):
    await award(app, PLAYERS[0], 1)
    former = {key: await app.redis.dump(key) async for key in app.redis.scan_iter("*{global}:*")}
    await change(app, 3)
    await award(app, PLAYERS[0], 1)
    for key, content in former.items():  # As if Redis had not answered when they were to be deleted.
        await app.redis.restore(key, 0, content or b"")
    await app.redis.set(Keys(app.settings.redis_prefix).rebuild_lock("global"), "another process")
    await change(app, 1)
    page = await app.board_reader.page(board_of("global", Period.ALL_TIME, app.clock()), Slice(0, 100))
    assert ([entry.score for entry in page.entries], page.source) == ([2], Source.POSTGRES)


async def test_a_repeated_change_deletes_what_an_interrupted_one_left_behind(app: App):
    await award(app, PLAYERS[0], 1)
    former = {key: await app.redis.dump(key) async for key in app.redis.scan_iter("*{global}:*")}
    await change(app, 3)
    for key, content in former.items():
        await app.redis.restore(key, 0, content or b"")
    assert await change(app, 3) is None
    assert {key.rpartition("/")[0] for key in await keys_of_boards(app)} <= {f"global/3/{shard}" for shard in range(3)}
    assert await scores(app) == [1]


async def test_nothing_is_changed_while_an_instance_runs(app: App):
    await award(app, PLAYERS[0], 1)
    async with Lease(app.database, "jobs", app.runtime).attempt() as lease:
        assert lease is not None
        with pytest.raises(BadUserInput, match="No instance may run"):
            await change(app, 3)
    assert app.catalogue.shard_count("global") == 1
    assert await scores(app) == [1]


@pytest.mark.parametrize("shards", [0, 17])
async def test_the_number_of_shards_is_limited(app: App, shards: int):
    with pytest.raises(BadUserInput, match="from 1 to 16"):
        await change(app, shards)
