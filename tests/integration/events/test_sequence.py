"""Committed events get consecutive positions, in the order of each subject's transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.config import Settings
from app.domain.errors import ServiceUnavailable
from app.domain.events.event import Event, EventType, RecordedEvent
from app.models.statements.events.committed_events import insert_events
from app.models.statements.events.recorded_events import create_partition, read_days
from app.services.outbox.sequence import EventSequence
from app.wiring import App
from tests.support.boards.ledgers import rows
from tests.support.events import recorded
from tests.support.service import opened, settings_for
from tests.support.stores import BreakableServer
from tests.support.wait_until import until_answer

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    async with opened(settings, housekeeping=False, loaded=False) as app:
        yield app


async def insert(connection: AsyncConnection, subject: str, number: int, count: int = 1) -> None:
    events = [Event(EventType.USER_HIDDEN, subject, None, NOW, {"number": number + more}) for more in range(count)]
    await insert_events(connection, [(UUID(int=number * 1000 + more), event) for more, event in enumerate(events)])


async def recorded_or_nothing(app: App) -> list[RecordedEvent]:
    try:
        return await recorded(app)
    except ServiceUnavailable:
        return []


async def test_an_event_that_is_committed_late_is_not_lost(app: App) -> None:
    async with app.database.begin() as slow:
        await insert(slow, "users/slow", 1)
        async with app.database.begin() as quick:
            await insert(quick, "users/quick", 2)
        assert [event.subject for event in await recorded(app)] == ["users/quick"]
    assert [(event.position, event.subject) for event in await recorded(app)] == [(1, "users/quick"), (2, "users/slow")]


async def test_what_is_rolled_back_is_no_event_and_leaves_no_gap(app: App) -> None:
    for number in range(1, 5):
        try:
            async with app.database.begin() as connection:
                await insert(connection, "users/1", number)
                if number % 2:
                    raise RuntimeError
        except RuntimeError:
            pass
    assert [(event.position, event.data) for event in await recorded(app)] == [(1, '{"number":2}'), (2, '{"number":4}')]


@pytest.mark.parametrize("seed", range(3))
async def test_events_of_a_subject_keep_the_order_of_their_transactions(app: App, seed: int) -> None:
    """Writers of random subjects lock them, insert, and commit or not, while two instances give positions."""
    random, subjects, committed = Random(seed), 4, dict[str, list[int]]()
    async with app.database.begin() as connection:
        await connection.execute(text("CREATE TABLE subjects (id int PRIMARY KEY)"))
        await connection.execute(text("INSERT INTO subjects SELECT generate_series(0, 3)"))
    sequences, running = [EventSequence(app.database, chunk_size=3) for _ in range(2)], True

    async def write(numbers: range) -> None:
        for number in numbers:
            subject, rolls_back, pause = random.randrange(subjects), random.random() < 0.2, random.random() < 0.5
            try:
                async with app.database.begin() as connection:
                    await connection.execute(text("SELECT FROM subjects WHERE id = :id FOR UPDATE"), {"id": subject})
                    await insert(connection, f"users/{subject}", number)
                    if pause:
                        await asyncio.sleep(0)
                    if rolls_back:
                        raise RuntimeError
                    committed.setdefault(f"users/{subject}", []).append(number)  # While the subject is locked.
            except RuntimeError:
                pass

    async def give_positions(sequence: EventSequence) -> None:
        while running:
            await sequence()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(give_positions(sequence)) for sequence in sequences]
        await asyncio.gather(*(write(range(start, start + 25)) for start in range(0, 200, 25)))
        running = False
        await asyncio.gather(*tasks)
    events = await recorded(app)
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    found: dict[str, list[int]] = {}
    for event in events:
        found.setdefault(event.subject, []).append(event.id.int // 1000)
    assert found == committed


async def test_a_subject_has_its_order_within_one_transaction_too(app: App) -> None:
    async with app.database.begin() as connection:
        await insert(connection, "users/1", 1, count=5000)
    assert [event.id.int for event in await recorded(app)] == list(range(1000, 6000))
    assert await rows(app, "SELECT id FROM committed_events") == []


async def test_partitions_older_than_the_retention_are_dropped(app: App) -> None:
    old = [datetime(2020, 1, day, tzinfo=UTC).date() for day in (1, 2)]
    async with app.database.begin() as connection:
        for day in old:
            await create_partition(connection, day)
        await insert(connection, "users/1", 1)
    assert len(await recorded(app)) == 1
    assert await app.outbox.retention() == 2
    async with app.database.connect() as connection:
        assert not set(old) & set(await read_days(connection))
    assert len(await recorded(app)) == 1


@pytest.mark.parametrize("blow", ["kill", "freeze"])
async def test_positions_survive_a_postgresql_that_goes_away(
    postgres_server: BreakableServer, redis_url: str, blow: str
) -> None:
    settings = settings_for(postgres_server.url, redis_url, db_timeout=1.0)
    async with opened(settings, housekeeping=False, loaded=False) as app:
        async with app.database.begin() as connection:
            await insert(connection, "users/1", 1, count=900)
        sequence = EventSequence(app.database, chunk_size=10)
        run = asyncio.create_task(sequence())
        await until_answer(lambda: rows(app, "SELECT position FROM events LIMIT 1"), bool, interval=0)
        getattr(postgres_server, blow)()
        with pytest.raises(ServiceUnavailable):
            await run
        await postgres_server.start()
        events = await until_answer(lambda: recorded_or_nothing(app), bool)
    assert [event.id.int for event in events] == list(range(1000, 1900))
    assert [event.position for event in events] == list(range(1, 901))
