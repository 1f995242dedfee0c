"""Expired rows are deleted in chunks, old anchors are thinned, and partitions are created ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from app.config import Settings
from app.domain.errors import ActionTokenUsed, AlreadyCompleted, DuplicateAction
from app.domain.ledger.posting import Account, ScoreRequest
from app.domain.ledger.transactions import Actor, Kind
from app.models.statements.ledger.partitions import DEFAULT_PARTITION, Month
from app.services.ledger.partitions import MONTHS_AHEAD
from app.services.retention.cleanup import Cleanup, Retention
from app.wiring import App
from tests.support.boards.ledgers import accept, award, breaches, rows
from tests.support.manual_clock import WallClock
from tests.support.runtime import runtime_for
from tests.support.service import caller, opened

ALICE, BOB = caller("alice"), caller("bob")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
RETENTION = Retention(timedelta(days=90), timedelta(days=30), timedelta(days=365))

FILL = {
    "action_tokens": """
        INSERT INTO action_tokens (token_hash, user_id, action_id, points, issued_at, expires_at, used_at)
        SELECT sha256(n::text::bytea), :user, 'X', 1, :at, :at, CASE WHEN n % 2 = 0 THEN CAST(:at AS timestamptz) END
        FROM generate_series(1, :rows) n
    """,
    "signing_sessions": """
        INSERT INTO signing_sessions (key_id, user_id, created_at, expires_at)
        SELECT gen_random_uuid(), :user, :at, :at FROM generate_series(1, :rows) n
    """,
    "request_keys": """
        INSERT INTO request_keys (request_key, transaction_id, created_at, permanent)
        SELECT 'server:' || n, gen_random_uuid(), :at, false FROM generate_series(1, :rows) n
    """,
    "transaction_origins": """
        INSERT INTO transaction_origins (created_at, transaction_id, user_id, played, salt)
        SELECT :at, gen_random_uuid(), :user, true, '' FROM generate_series(1, :rows) n
    """,
    "flags": """
        INSERT INTO flags (id, user_id, category_id, verdict, rules, points, status, created_at, decided_at)
        SELECT gen_random_uuid(), :user, 'global', 'HOLD', '{}', 1, 'REJECTED', :at, :at
        FROM generate_series(1, :rows) n
    """,
}


@contextmanager
def counted(app: App, word: str) -> Iterator[list[int]]:
    """Collect the number of rows of each statement that begins with a word."""
    counts: list[int] = []

    def note(_: Any, cursor: Any, statement: str, *__: Any) -> None:
        if statement.strip().startswith(word):
            counts.append(cursor.rowcount)

    event.listen(app.database.engine.sync_engine, "after_cursor_execute", note)
    try:
        yield counts
    finally:
        event.remove(app.database.engine.sync_engine, "after_cursor_execute", note)


async def fill(app: App, table: str, count: int, at: datetime) -> None:
    await app.users.ensure(ALICE)
    async with app.database.begin() as connection:
        await connection.execute(
            text(FILL[table]), _needed(FILL[table], {"user": ALICE.user_id, "at": at, "rows": count})
        )


def _needed(statement: str, values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if f":{name}" in statement}


@pytest.mark.parametrize("table", FILL)
async def test_expired_rows_are_deleted_in_chunks(app: App, table: str):
    await fill(app, table, 95, LONG_AGO)
    cleanup = Cleanup(app.database, runtime_for(), RETENTION, chunk_size=10)
    with counted(app, "DELETE") as counts:
        assert await cleanup() == 95
    assert max(counts) == 10
    assert sum(count > 0 for count in counts) in (10, 11)  # Used and unused tokens are two kinds of rows.
    assert await rows(app, f"SELECT 1 FROM {table}") == []  # noqa: S608


async def test_a_run_is_bounded_and_the_next_one_continues(app: App):
    await fill(app, "request_keys", 95, LONG_AGO)
    cleanup = Cleanup(app.database, runtime_for(), RETENTION, chunk_size=10, max_chunks=4)
    assert [await cleanup() for _ in range(4)] == [40, 40, 15, 0]


@pytest.mark.parametrize("table", FILL)
async def test_rows_that_have_not_expired_stay(app: App, table: str):
    await fill(app, table, 10, datetime.now(UTC) + timedelta(hours=1))
    assert await app.cleanup() == 0
    assert len(await rows(app, f"SELECT 1 FROM {table}")) == 10  # noqa: S608


async def test_open_flags_and_permanent_keys_stay(app: App):
    await fill(app, "flags", 3, LONG_AGO)
    await fill(app, "request_keys", 3, LONG_AGO)
    async with app.database.begin() as connection:
        await connection.execute(text("UPDATE flags SET status = 'OPEN', decided_at = NULL"))
        await connection.execute(text("UPDATE request_keys SET permanent = true"))
    assert await app.cleanup() == 0


async def test_two_cleanups_at_once_delete_each_row_once(app: App):
    await fill(app, "transaction_origins", 200, LONG_AGO)
    cleanups = [Cleanup(app.database, runtime_for(), RETENTION, chunk_size=7) for _ in range(2)]
    first, second = await asyncio.gather(*(cleanup() for cleanup in cleanups))
    rest = await app.cleanup()
    assert first + second + rest == 200


async def test_players_play_while_expired_rows_are_deleted(app: App):
    await fill(app, "action_tokens", 300, LONG_AGO)
    cleanup = Cleanup(app.database, runtime_for(), RETENTION, chunk_size=10)

    async def play(number: int) -> None:
        who = caller(f"player {number}")
        for _ in range(5):
            await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)

    deleted, *_ = await asyncio.gather(cleanup(), *(play(number) for number in range(5)))
    assert deleted == 300
    assert await breaches(app) == []


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
async def timed(settings: Settings, clock: WallClock) -> AsyncIterator[App]:
    async with opened(settings, clock) as app:
        yield app


async def test_a_used_token_gets_its_first_receipt_until_its_record_expires(timed: App, clock: WallClock):
    token = (await timed.issue_token(ALICE, "COMPLETE_LEVEL")).token
    first = await timed.submit_score(ALICE, token)
    clock.advance(days=timed.settings.request_key_retention_days - 1)
    await timed.cleanup()
    with pytest.raises(ActionTokenUsed) as refusal:
        await timed.submit_score(ALICE, token)
    assert refusal.value.receipt.transaction_id == first.transaction_id
    clock.advance(days=2)
    assert await timed.cleanup() == 1


async def test_a_token_pays_once_however_many_submit_it_at_once(app: App):
    token = (await app.issue_token(ALICE, "COMPLETE_LEVEL")).token
    outcomes = await asyncio.gather(*(app.submit_score(ALICE, token) for _ in range(20)), return_exceptions=True)
    paid = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(paid) == 1
    assert all(isinstance(one, ActionTokenUsed) for one in outcomes if isinstance(one, BaseException))
    receipts = {one.receipt.transaction_id for one in outcomes if isinstance(one, ActionTokenUsed)}
    assert receipts == {paid[0].transaction_id}


async def test_a_request_key_counts_once_however_many_use_it_at_once(app: App):
    await app.users.ensure(ALICE)
    category = app.catalogue.current.category("global")

    def request() -> ScoreRequest:
        actor = Actor(None, "server")
        return ScoreRequest(ALICE.user_id, category, Kind.SERVER_ACTION, 5, actor, request_key="server:x:1")

    outcomes = await asyncio.gather(*(app.ledger.post(request(), accept) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(one, DuplicateAction) for one in outcomes) == 19
    assert [row.delta for row in await rows(app, "SELECT delta FROM score_transactions")] == [5]


async def test_an_action_that_cannot_be_repeated_is_refused_years_later(timed: App, clock: WallClock):
    once = {"id": "ONCE", "name": "Once", "category": "global", "points": 10, "repeatable": False}
    await timed.catalogue_changes.apply([], [once], Actor(None, "operator"), "test")
    await timed.submit_score(ALICE, (await timed.issue_token(ALICE, "ONCE")).token)
    clock.advance(days=500)
    with pytest.raises(AlreadyCompleted):
        await timed.submit_score(ALICE, (await timed.issue_token(ALICE, "ONCE")).token)


async def test_partitions_are_created_ahead_and_once(app: App):
    names = {row.name for row in await rows(app, PARTITIONS)}
    current = Month.of(datetime.now(UTC))
    assert {current.after(ahead).partition for ahead in range(MONTHS_AHEAD + 1)} <= names
    assert await app.partitions.ensure() == 0
    assert await app.partitions.ensure([current.after(9)]) == 1
    assert sum(await asyncio.gather(*(app.partitions.ensure([current.after(12)]) for _ in range(4)))) == 1


PARTITIONS = """
SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'score_transactions'::regclass
"""


async def test_a_month_without_a_partition_refuses_nothing_and_gets_one_later(timed: App, clock: WallClock):
    clock.advance(days=400)
    for _ in range(3):
        await award(timed, ALICE, 5)
    assert len(await rows(timed, f"SELECT 1 FROM {DEFAULT_PARTITION}")) == 3  # noqa: S608
    assert any("3 transactions are in the default partition" in sentence for sentence in await breaches(timed))
    assert await timed.partitions.ensure() > 0
    assert await rows(timed, f"SELECT 1 FROM {DEFAULT_PARTITION}") == []  # noqa: S608
    assert await breaches(timed) == []


async def test_partitions_are_created_while_players_play(timed: App, clock: WallClock):
    clock.advance(days=400)
    players = [caller(f"player {number}") for number in range(6)]

    async def play(who: Any) -> None:
        for _ in range(10):
            await award(timed, who, 1)

    await asyncio.gather(*map(play, players), *(timed.partitions.ensure() for _ in range(3)))
    await timed.partitions.ensure()
    assert await rows(timed, f"SELECT 1 FROM {DEFAULT_PARTITION}") == []  # noqa: S608
    assert len(await rows(timed, "SELECT 1 FROM score_transactions")) == 60
    assert await breaches(timed) == []


async def test_a_chain_crosses_months_and_is_judged_by_its_recent_part(timed: App, clock: WallClock):
    seen: list[Account] = []

    def judge(request: ScoreRequest, account: Account, now: datetime) -> ScoreRequest:
        seen.append(account)
        return request

    for _ in range(5):
        await award(timed, ALICE, 5, judge=judge)
        clock.advance(days=31)
        await timed.partitions.ensure()
    assert [account.head.seq for account in seen] == [0, 1, 2, 3, 4]
    assert await breaches(timed) == []


async def anchor_often(app: App, clock: WallClock, *, times: int) -> None:
    for _ in range(times):
        await award(app, ALICE, 1)
        await app.anchors.anchor()
        clock.advance(minutes=15)


async def anchored(app: App) -> int:
    return len(await rows(app, "SELECT 1 FROM ledger_anchor_heads"))


async def test_anchors_are_thinned_by_the_hour_the_day_and_the_month(timed: App, clock: WallClock):
    await award(timed, BOB, 1)
    while clock().hour or clock().minute >= 15:
        clock.advance(minutes=15)
    await anchor_often(timed, clock, times=48)  # Twelve hours.
    assert await anchored(timed) == 49
    assert await timed.thin_anchors() == 0, "everything is kept for a day"
    clock.advance(days=1, hours=1)
    assert await timed.thin_anchors() == 36
    assert await anchored(timed) == 12 + 1, "the last of each hour, and the only one of bob"
    assert await timed.thin_anchors() == 0
    clock.advance(days=30)
    await timed.thin_anchors()
    assert await anchored(timed) == 1 + 1
    clock.advance(days=366)
    await timed.thin_anchors()
    assert await anchored(timed) == 2
    await timed.partitions.ensure()
    await award(timed, ALICE, 1)
    await timed.anchors.anchor()
    assert [sentence for sentence in await breaches(timed) if "anchor" in sentence] == []


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM ledger_anchor_heads WHERE user_id = :user",
        "UPDATE ledger_anchor_heads SET hash = 'x' WHERE user_id = :user",
        "UPDATE ledger_anchors SET kept_hash = 'x'",
        "UPDATE ledger_anchors SET hash = 'x' WHERE number = 2",
    ],
)
async def test_a_thinned_anchor_that_was_altered_is_named(timed: App, clock: WallClock, change: str):
    await anchor_often(timed, clock, times=9)
    clock.advance(days=2)
    assert await timed.thin_anchors() > 0
    async with timed.database.begin() as connection:
        await connection.execute(text(change), _needed(change, {"user": ALICE.user_id}))
    assert any(sentence.startswith("anchor ") for sentence in await breaches(timed))
