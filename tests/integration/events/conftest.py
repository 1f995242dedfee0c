"""The services with a clock that tests set, and a receiver of webhooks on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from app.domain.events.event import Event, EventType
from app.domain.events.facts import user_changed
from app.domain.ledger.transactions import Actor
from app.models.statements.events.committed_events import insert_events
from app.wiring import App
from tests.support.event_receiver import Receiver, running_receiver
from tests.support.events import recorded
from tests.support.manual_clock import WallClock
from tests.support.service import opened, settings_for

MODERATOR = Actor(uuid4(), "moderator")


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
async def outbox_app(database_url: str, redis_url: str, clock: WallClock) -> AsyncIterator[App]:
    """The services, with endpoints on this machine allowed and a short time-out."""
    settings = settings_for(
        database_url, redis_url, webhook_private_networks="127.0.0.0/8,::1/128", webhook_timeout=0.5
    )
    async with opened(settings, clock, housekeeping=False, loaded=False) as app:
        yield app


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


async def happen(app: App, *users: int, event_type: EventType = EventType.USER_HIDDEN) -> list[str]:
    """Let an event happen to each user, in one transaction each, and return all ids since the beginning."""
    for user in users:
        event: Event = user_changed(event_type, UUID(int=user), app.clock())
        async with app.database.begin() as connection:
            await insert_events(connection, [(uuid4(), event)])
    return [str(event.id) for event in await recorded(app)]


async def deliver(app: App, clock: WallClock, *, hours: float = 0, step: float = 30) -> None:
    """Deliver what is due now and, in steps of some seconds, during the next hours."""
    await app.outbox.deliver_webhooks.deliver_due()
    until = clock.now + timedelta(hours=hours)
    while clock.now < until:
        clock.advance(step)
        await app.outbox.deliver_webhooks.deliver_due()
