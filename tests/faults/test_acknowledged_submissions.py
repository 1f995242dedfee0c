"""Whatever PostgreSQL goes through meanwhile: what was acknowledged is committed, and each token has paid once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from uuid import UUID

import asyncpg
import pytest

from app.config import Settings
from app.domain.errors import ActionTokenUsed, ServiceUnavailable
from app.domain.users import Caller
from app.wiring import App
from tests.support.service import caller, opened, settings_for
from tests.support.stores import BreakableServer
from tests.support.wait_until import until, until_answer

T = TypeVar("T")

SESSIONS = """
    SELECT pid FROM pg_stat_activity WHERE application_name = 'leaderboard' AND datname = current_database()
"""
WITHIN_A_TRANSACTION = SESSIONS + " AND xact_start IS NOT NULL AND backend_xid IS NOT NULL"
COMMITTING = SESSIONS + " AND wait_event = 'SyncRep'"
WRONG_SUMS = """
    SELECT count(*) FROM (
        SELECT user_id, category_id, sum(delta) AS total FROM score_transactions GROUP BY user_id, category_id
    ) t FULL JOIN (SELECT * FROM scores WHERE period = 'ALL_TIME') s USING (user_id, category_id)
    WHERE t.total IS DISTINCT FROM s.score
"""


@dataclass
class History:
    """What players were told."""

    acknowledged: list[UUID] = field(default_factory=list)
    refusals: int = 0
    ended: bool = False

    async def more(self, *, acknowledged: int = 0, refusals: int = 0) -> None:
        """Return when players were told so much more."""
        accepted, refused = len(self.acknowledged) + acknowledged, self.refusals + refusals
        await until(lambda: len(self.acknowledged) >= accepted and self.refusals >= refused, timeout=60)

    async def answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer to a question that is asked again for as long as the service is unavailable."""
        async with asyncio.timeout(60):
            while True:
                try:
                    return await ask()
                except ServiceUnavailable:
                    self.refusals += 1
                    await asyncio.sleep(0.02)

    async def play(self, app: App, who: Caller) -> None:
        """Do one action after another until the end. A submission is repeated until its outcome is known."""
        while not self.ended:
            issued = await self.answered(partial(app.issue_token, who, "COMPLETE_LEVEL"))
            try:
                receipt = await self.answered(partial(app.submit_score, who, issued.token))
            except ActionTokenUsed as used:
                receipt = used.receipt
            self.acknowledged.append(receipt.transaction_id)


@pytest.fixture(params=[True, False], ids=["group commit", "one by one"])
def on_a_breakable_postgres(
    postgres_server: BreakableServer, redis_url: str, request: pytest.FixtureRequest
) -> Settings:
    return settings_for(
        postgres_server.url,
        redis_url,
        db_timeout=1.0,
        group_commit=request.param,
        max_open_tokens=1000,
        fraud_enabled=False,
    )


@pytest.fixture
async def outside(postgres_server: BreakableServer) -> AsyncIterator[asyncpg.Connection]:
    """A session of an operator, which sees what is committed and nothing else."""
    connection = await asyncpg.connect(postgres_server.url.replace("+asyncpg", ""), timeout=20, command_timeout=30)
    yield connection
    await connection.close(timeout=10)


@asynccontextmanager
async def playing(settings: Settings, outside: asyncpg.Connection) -> AsyncIterator[History]:
    """Eight players who play all the time; at the end, what they were told must be what PostgreSQL holds."""
    history = History()
    async with opened(settings) as app:
        async with asyncio.TaskGroup() as players:
            for number in range(8):
                players.create_task(history.play(app, caller(f"player {number}")))
            try:
                await history.more(acknowledged=20)
                yield history
                await history.more(acknowledged=20)
            finally:
                history.ended = True
        committed = [row["id"] for row in await outside.fetch("SELECT id FROM score_transactions")]
        assert sorted(committed) == sorted(history.acknowledged)
        assert await outside.fetchval(WRONG_SUMS) == 0


@asynccontextmanager
async def setting(outside: asyncpg.Connection, name: str, value: str) -> AsyncIterator[None]:
    """A setting of the whole server, for now."""
    await outside.execute(f"ALTER SYSTEM SET {name} = {value}")
    await outside.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        await outside.execute(f"ALTER SYSTEM RESET {name}")
        await outside.execute("SELECT pg_reload_conf()")


async def sessions(outside: asyncpg.Connection, which: str) -> list[int]:
    """The processes of the service's sessions, of which there is at least one."""
    return [row["pid"] for row in await until_answer(lambda: outside.fetch(which), bool, interval=0.001)]


async def test_while_sessions_are_frozen(
    on_a_breakable_postgres: Settings, postgres_server: BreakableServer, outside: asyncpg.Connection
):
    async with playing(on_a_breakable_postgres, outside) as history:
        for _ in range(3):
            with ExitStack() as frozen:
                for pid in await sessions(outside, SESSIONS):
                    frozen.enter_context(postgres_server.frozen(pid))
                await history.more(refusals=4)
            await history.more(acknowledged=10)


async def test_while_the_server_is_frozen(
    on_a_breakable_postgres: Settings, postgres_server: BreakableServer, outside: asyncpg.Connection
):
    async with playing(on_a_breakable_postgres, outside) as history:
        postgres_server.freeze()
        try:
            await history.more(refusals=100)
        finally:
            postgres_server.thaw()


async def test_while_sessions_are_terminated_within_transactions(
    on_a_breakable_postgres: Settings, outside: asyncpg.Connection
):
    async with playing(on_a_breakable_postgres, outside) as history:
        for _ in range(20):
            for pid in await sessions(outside, WITHIN_A_TRANSACTION):
                await outside.execute("SELECT pg_terminate_backend($1)", pid)
            await history.more(acknowledged=1)


async def test_while_sessions_are_terminated_as_they_commit(
    on_a_breakable_postgres: Settings, outside: asyncpg.Connection
):
    async with playing(on_a_breakable_postgres, outside) as history:
        for _ in range(3):
            # Commits wait for a standby that does not exist. They are on the disk, and nobody is told.
            async with setting(outside, "synchronous_standby_names", "nobody"):
                for pid in await sessions(outside, COMMITTING):
                    await outside.execute("SELECT pg_terminate_backend($1)", pid)
                await history.more(refusals=4)
            await history.more(acknowledged=10)


async def test_while_the_server_accepts_no_writes(on_a_breakable_postgres: Settings, outside: asyncpg.Connection):
    async with (
        playing(on_a_breakable_postgres, outside) as history,
        setting(outside, "default_transaction_read_only", "on"),
    ):
        await history.more(refusals=100)


async def test_while_a_table_is_locked(on_a_breakable_postgres: Settings, outside: asyncpg.Connection):
    async with playing(on_a_breakable_postgres, outside) as history:
        for table in ("score_transactions", "action_tokens"):
            async with outside.transaction():
                await outside.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
                await history.more(refusals=20)
            await history.more(acknowledged=10)
