"""Results that a game states, while PostgreSQL or the game's verifier does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import pytest
from sqlalchemy import text

from app.config import Settings
from app.domain.boards.periods import Period
from app.domain.errors import ServiceUnavailable
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Actor
from app.domain.users import Role
from app.services.submissions.record_action import ActionReport
from app.wiring import App
from tests.support.service import caller, opened, settings_for
from tests.support.stores import BreakableServer
from tests.support.wait_until import until, until_answer
from tests.support.webhook import Webhook, running_webhook

SERVER = caller("the race track", Role.SERVER)
PLAYERS = UUID("8f3c2b1a-0000-4000-8000-000000000001")
RACES = {"id": "races", "name": "Races", "sortOrder": "LOW_FIRST", "operator": "BEST", "entryMetadata": True}
LAP = {"id": "LAP", "name": "Lap", "category": "races", "kind": "STATED", "minValue": 1, "maxValue": 600_000}
TIMES = text("SELECT user_id, reached_at FROM scores WHERE period = 'ALL_TIME'")


async def open_race_track(app: App) -> None:
    await app.catalogue_changes.apply([RACES], [LAP], Actor(None, "operator"), "a new track")
    await app.rebuild.ensure_loaded()


def reports(round_: int) -> list[ActionReport]:
    return [
        ActionReport(
            uuid5(PLAYERS, str(number)),
            "LAP",
            f"{round_}/{number}",
            value=100_000 - round_ * 100 - number,
            username=f"driver {number}",
            metadata={"replay": f"{round_}/{number}"},
        )
        for number in range(20)
    ]


async def record(app: App, round_: int) -> list[Receipt]:
    """Report results, again with the same keys for as long as any of them is not acknowledged."""
    acknowledged: list[Receipt] = []

    async def report() -> bool:
        outcomes = await app.record_actions.record_all(SERVER, reports(round_))
        unexpected = [one for one in outcomes if not isinstance(one, Receipt | ServiceUnavailable)]
        assert unexpected == []
        acknowledged[:] = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
        return len(acknowledged) == len(outcomes)

    await until_answer(report, bool, timeout=60, interval=0.02)
    return acknowledged


@pytest.fixture
async def outside(postgres_server: BreakableServer) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_server.url.replace("+asyncpg", ""), timeout=20, command_timeout=30)
    yield connection
    await connection.close(timeout=10)


@pytest.fixture
def settings_of_breakable_postgres(postgres_server: BreakableServer, redis_url: str) -> Settings:
    return settings_for(postgres_server.url, redis_url, db_timeout=1.0)


@contextmanager
def frozen(server: BreakableServer) -> Iterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


async def check(outside: asyncpg.Connection, receipts: list[Receipt], rounds: int) -> None:
    """Every result is recorded once, with the transaction that was acknowledged, its score and its metadata."""
    committed = [row["id"] for row in await outside.fetch("SELECT id FROM score_transactions")]
    assert sorted(committed) == sorted({receipt.transaction_id for receipt in receipts})
    assert len(committed) == rounds * 20
    assert await outside.fetchval("SELECT count(*) FROM entry_metadata") == rounds * 20
    scores = await outside.fetch("SELECT score FROM scores WHERE period = 'ALL_TIME' ORDER BY score DESC")
    assert [row["score"] for row in scores] == [100_000 - (rounds - 1) * 100 - number for number in range(20)]


async def test_results_are_acknowledged_once_with_the_same_keys_when_postgresql_freezes(
    settings_of_breakable_postgres: Settings, postgres_server: BreakableServer, outside: asyncpg.Connection
):
    async with opened(settings_of_breakable_postgres) as app:
        await open_race_track(app)
        receipts = await record(app, 0)
        for round_ in range(1, 4):
            with frozen(postgres_server):
                refused = await app.record_actions.record_all(SERVER, reports(round_))
                assert {type(outcome) for outcome in refused} == {ServiceUnavailable}
            receipts += await record(app, round_)
            receipts += await record(app, round_)
        await check(outside, receipts, rounds=4)


async def test_results_are_acknowledged_once_when_postgresql_is_killed_at_any_moment(
    settings_of_breakable_postgres: Settings, postgres_server: BreakableServer
):
    async with opened(settings_of_breakable_postgres) as app:
        await open_race_track(app)
        receipts = await record(app, 0)
        for round_ in range(1, 4):
            recording = asyncio.create_task(record(app, round_))
            await asyncio.sleep(0)
            await postgres_server.restart()
            receipts += await recording
        outside = await asyncpg.connect(postgres_server.url.replace("+asyncpg", ""), timeout=20, command_timeout=30)
        await check(outside, receipts, rounds=4)
        await outside.close(timeout=10)


@asynccontextmanager
async def verified(settings: Settings, webhook: Webhook, timeout: float) -> AsyncIterator[App]:
    given: dict[str, Any] = {
        "completion_verifiers": {"LAP": "app.services.submissions.verifiers.webhook:webhook"},
        "verifier_webhook_url": webhook.url,
        "verifier_webhook_secret": "a secret between the service and the game",
        "verifier_timeout": timeout,
    }
    async with opened(type(settings)(**(settings.model_dump() | given))) as app:
        await open_race_track(app)
        yield app


async def test_a_verifier_that_does_not_answer_costs_no_token_and_delays_nobody_else(settings: Settings):
    async with running_webhook() as webhook, verified(settings, webhook, timeout=0.2) as app:
        webhook.open.clear()
        ada, bob = caller("ada"), caller("bob")
        token = (await app.issue_token(ada, "LAP")).token
        with pytest.raises(ServiceUnavailable):
            await app.submit_score(ada, token)
        other = (await app.issue_token(bob, "COMPLETE_LEVEL")).token
        assert (await app.submit_score(bob, other)).delta == 50
        webhook.body = b'{"accepted": true, "value": 83250}'
        webhook.open.set()

        async def is_paid() -> bool:
            try:
                return (await app.submit_score(ada, token)).new_score == 83_250
            except ServiceUnavailable:  # The circuit breaker may be open for a moment.
                return False

        await until_answer(is_paid, bool, timeout=60)


async def test_a_verifier_that_is_gone_costs_no_token(settings: Settings):
    async with running_webhook() as webhook:
        gone = Webhook(url=webhook.url)
    async with verified(settings, gone, timeout=5.0) as app:
        ada = caller("ada")
        token = (await app.issue_token(ada, "LAP")).token
        for _ in range(3):
            with pytest.raises(ServiceUnavailable):
                await app.submit_score(ada, token)
        assert await app.action_tokens.count_open(ada.user_id) == 1


async def test_players_who_are_gone_before_the_verifier_answers_are_paid_once(settings: Settings):
    async with running_webhook() as webhook, verified(settings, webhook, timeout=3600) as app:
        webhook.body = b'{"accepted": true, "value": 83250}'
        webhook.open.clear()
        ada = caller("ada")
        token = (await app.issue_token(ada, "LAP")).token
        submissions = [asyncio.create_task(app.submit_score(ada, token)) for _ in range(5)]
        await until(lambda: len(webhook.asked) == 5)
        submissions[0].cancel()
        webhook.open.set()
        outcomes = await asyncio.gather(*submissions, return_exceptions=True)
        assert sum(isinstance(outcome, Receipt) for outcome in outcomes) == 1


async def test_boards_are_shown_without_metadata_while_postgresql_does_not_answer(
    settings_of_breakable_postgres: Settings, postgres_server: BreakableServer
):
    async with opened(settings_of_breakable_postgres) as app:
        await open_race_track(app)
        receipts = await record(app, 0)
        board = app.board_queries.board(app.catalogue.current.category("races"), Period.ALL_TIME)
        read = partial(app.entry_metadata.get, board)
        async with app.database.connect() as connection:
            rows = (await connection.execute(TIMES)).all()
        assert len(rows) == len(receipts)
        with frozen(postgres_server):
            values = await asyncio.gather(*(read(row.user_id, row.reached_at) for row in rows))
            assert values == [None] * len(rows)

        async def read_all() -> list[Any]:
            return await asyncio.gather(*(read(row.user_id, row.reached_at) for row in rows))

        values = await until_answer(read_all, lambda values: None not in values, timeout=60)
        assert {value["replay"] for value in values} == {f"0/{number}" for number in range(20)}
