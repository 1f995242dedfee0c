"""The leader is killed in each phase of a delivery, and PostgreSQL goes away: nothing is lost, and order is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text

from app.config import Settings
from app.domain.events.event import EventType
from app.domain.events.facts import user_changed
from app.domain.ledger.transactions import Actor
from app.models.statements.events.committed_events import insert_events
from app.runtime import utc_now
from app.wiring import App
from tests.support.boards.ledgers import rows
from tests.support.event_receiver import Receiver, running_receiver, subject_orders
from tests.support.processes.service_instances import Instance, instance_of
from tests.support.service import opened
from tests.support.wait_until import TIMEOUT, until, until_answer

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


async def happen(app: App, *users: int) -> None:
    for user in users:
        event = user_changed(EventType.USER_HIDDEN, UUID(int=user), utc_now())
        async with app.database.begin() as connection:
            await insert_events(connection, [(uuid4(), event)])


@asynccontextmanager
async def leader(app: App, settings: Settings) -> AsyncIterator[Instance]:
    """An instance that leads at once, however long ago the one before was killed."""
    async with app.database.begin() as connection:
        await connection.execute(text("UPDATE leases SET expires_at = clock_timestamp()"))
    async with instance_of(settings, program="background_instance", WEBHOOK_PRIVATE_NETWORKS="127.0.0.0/8") as instance:
        yield instance


@asynccontextmanager
async def locked(settings: Settings, table: str) -> AsyncIterator[None]:
    """Lock the rows of a table during the block, for longer than the service lets a transaction be idle."""
    connection = await asyncpg.connect((settings.database_url or "").replace("+asyncpg", ""), timeout=10)
    try:
        async with connection.transaction():
            await connection.execute(f"SELECT FROM {table} FOR UPDATE")
            yield
    finally:
        await connection.close(timeout=10)


async def kill(instance: Instance) -> None:
    instance.process.kill()
    await asyncio.wait_for(instance.process.wait(), TIMEOUT)


async def test_a_leader_that_is_killed_in_any_phase_loses_nothing(settings: Settings, receiver: Receiver) -> None:
    async with opened(settings, housekeeping=False, loaded=False) as app:
        added = await app.outbox.endpoints.add(Actor(None, "operator"), receiver.url, (), ())
        receiver.secrets.append(added.secret)

        # While it gives events their positions: the sequence is locked, and the lock is released after its death.
        await happen(app, 1, 2, 1)
        async with locked(settings, "event_sequence"), leader(app, settings) as instance:
            await until_answer(lambda: rows(app, WAITING), bool)
            await kill(instance)
        assert receiver.arrived == []

        # While a request is under way.
        answered = asyncio.Event()

        async def wait(event: dict[str, Any]) -> int:
            await answered.wait()
            return 200

        receiver.answer = wait
        async with leader(app, settings) as instance:
            await until(lambda: len(receiver.arrived) >= 2)
            await kill(instance)
        answered.set()
        await happen(app, 2, 3)

        # After the receiver has taken events, before that is committed.
        async with locked(settings, "event_endpoints"), leader(app, settings) as instance:
            await until(lambda: len(receiver.taken) >= 3)
            await until_answer(lambda: rows(app, WAITING), bool)
            await kill(instance)

        async with leader(app, settings):
            await until_answer(
                lambda: app.outbox.endpoints.all(),
                lambda reports: reports[0].undelivered == 0 and len(set(receiver.ids)) >= 5,
            )
        stored = {str(row.event_id) for row in await rows(app, "SELECT event_id FROM events")}
    assert len(stored) == 5
    assert set(receiver.ids) == stored
    assert all(order == sorted(order) for order in subject_orders(receiver.arrived).values())
    assert all(len(bodies) == 1 for bodies in receiver.bodies.values())
    assert receiver.signed_with == [receiver.secrets] * len(receiver.arrived)
