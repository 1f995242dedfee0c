"""Read replicas serve boards when PostgreSQL has to, as long as they are not too far behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from app.config import Settings, load_settings
from app.domain.boards.board import Source, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.players.score_history import Step
from app.domain.users import Caller
from app.stores.replicas import Replica
from app.wiring import App, open_app
from tests.support.processes.postgres_standby import Pair, execute, primary_and_standby
from tests.support.service import caller, settings_for
from tests.support.wait_until import until

NOWHERE = "redis://127.0.0.1:9"


@pytest.fixture(scope="module")
async def pair() -> AsyncIterator[Pair]:
    async with primary_and_standby() as pair:
        yield pair


@pytest.fixture
async def app(pair: Pair) -> AsyncIterator[App]:
    async with reading_from(pair) as app:
        yield app


@asynccontextmanager
async def reading_from(pair: Pair, *, max_lag: float = 3, **more: object) -> AsyncIterator[App]:
    """An instance without Redis that reads boards from the standby, once that is usable."""
    urls = {"database_replica_urls": (pair.standby.url,), "replica_max_lag": max_lag, "db_timeout": 2.0}
    async with open_app(settings_for(pair.primary.url, NOWHERE, **(urls | more))) as app:
        await until(lambda: app.replicas.is_usable(replica(app)))
        yield app


def replica(app: App) -> Replica:
    (one,) = app.replicas.all
    return one


async def play(app: App, who: Caller) -> None:
    await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)


async def total(app: App) -> int:
    """The number of players as a query without Redis sees it."""
    page = await app.board_reader._postgres.read(board_of("global", Period.ALL_TIME, app.clock()), [Slice(0, 10)])
    assert page[0].source is Source.POSTGRES
    return page[0].total_users


async def test_a_replica_that_keeps_up_serves_boards(app: App):
    before = replica(app).reads
    await total(app)
    assert replica(app).reads == before + 1


async def test_a_replica_that_stopped_replaying_is_not_used_and_is_used_again_later(app: App, pair: Pair):
    await pair.standby.execute("SELECT pg_wal_replay_pause()")
    try:
        before = await total(app)
        await play(app, caller())
        await until(lambda: not app.replicas.is_usable(replica(app)))
        skipped = replica(app).skipped
        assert await total(app) == before + 1
        assert replica(app).skipped == skipped + 1
        await until(lambda: "over the bound" in replica(app).problem)
    finally:
        await pair.standby.execute("SELECT pg_wal_replay_resume()")
    await until(lambda: app.replicas.is_usable(replica(app)))


async def test_a_replica_that_is_disconnected_is_not_used_although_nobody_plays(app: App, pair: Pair):
    # The leader renews its lease, so that the primary writes something every two seconds.
    primary = await pair.standby.execute("SELECT quote_literal(current_setting('primary_conninfo'))")
    await pair.standby.execute("ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=9'")
    await pair.standby.execute("SELECT pg_reload_conf()")
    try:
        await until(lambda: not app.replicas.is_usable(replica(app)))
    finally:
        await pair.standby.execute(f"ALTER SYSTEM SET primary_conninfo = {primary}")
        await pair.standby.execute("SELECT pg_reload_conf()")
    await until(lambda: app.replicas.is_usable(replica(app)))


async def test_a_frozen_replica_is_passed_over(app: App, pair: Pair):
    await total(app)
    pair.standby.freeze()
    try:
        await until(lambda: not app.replicas.is_usable(replica(app)))
        await total(app)
    finally:
        pair.standby.thaw()
    await until(lambda: app.replicas.is_usable(replica(app)))


async def test_users_read_their_own_data_from_the_primary(app: App, pair: Pair):
    who = caller()
    await pair.standby.execute("SELECT pg_wal_replay_pause()")
    try:
        await play(app, who)
        entries, _ = await app.history.transactions(who, who.user_id, 10, None)
        now = app.clock()
        category = app.catalogue.current.category("global")
        _, history = await app.history.scores(
            who.user_id, category, now - timedelta(days=1), now + timedelta(days=1), Step.DAY, who
        )
        (standing,) = await app.board_reader.standings(board_of("global", Period.ALL_TIME, now), [who.user_id])
        assert len(entries) == 1
        assert history.points[-1].score == 50
        assert standing.score == 50
    finally:
        await pair.standby.execute("SELECT pg_wal_replay_resume()")


async def test_a_server_that_is_no_standby_is_never_used(pair: Pair, database_url: str):
    settings = settings_for(pair.primary.url, NOWHERE, database_replica_urls=(database_url,))
    async with open_app(settings) as app:
        await until(lambda: "not a standby" in replica(app).problem)
        await total(app)
        assert replica(app).reads == 0


async def test_a_replica_of_another_history_is_never_used(pair: Pair):
    """Such as that of a primary which was replaced: it is ahead of the new one."""
    async with primary_and_standby() as other:
        for _ in range(8):  # Each takes the position to a new file of 16 MiB.
            await execute(other.primary.url, "SELECT txid_current()")
            await execute(other.primary.url, "SELECT pg_switch_wal()")
        await other.wait_until_streaming()
        ahead = await execute(other.primary.url, "SELECT pg_current_wal_lsn()::text")
        settings = settings_for(pair.primary.url, NOWHERE, database_replica_urls=(other.standby.url,))
        assert await execute(pair.primary.url, f"SELECT pg_current_wal_lsn() < '{ahead}'")
        async with open_app(settings) as app:
            await until(lambda: "another history" in replica(app).problem)
            assert not app.replicas.is_usable(replica(app))


def test_several_replicas_may_have_several_hosts_each():
    settings: Settings = load_settings(
        database_replica_urls="postgresql://u@a,b/d,postgresql://u@c/d", database_url=None, _env_file=None
    )
    assert settings.database_replica_urls == ("postgresql://u@a,b/d", "postgresql://u@c/d")
