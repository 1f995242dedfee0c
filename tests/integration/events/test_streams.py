"""Events are published to streams in order, at least once, and go on after an outage from where they were."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from app.domain.errors import ServiceUnavailable
from app.wiring import App
from tests.integration.events.conftest import happen
from tests.support.boards.ledgers import rows
from tests.support.events import checked
from tests.support.processes.nats_server import PROGRAM, NatsServer
from tests.support.service import opened, settings_for
from tests.support.stores import BreakableServer

needs_nats = pytest.mark.skipif(PROGRAM is None, reason="nats-server is not installed")


@asynccontextmanager
async def publishing(database_url: str, redis_url: str, **streams: Any) -> AsyncIterator[App]:
    """The services with streams that have begun."""
    settings = settings_for(database_url, redis_url, **streams)
    async with opened(settings, housekeeping=False, loaded=False) as app:
        yield app


async def test_a_redis_stream_has_every_event_once_and_in_order(
    database_url: str, redis_url: str, redis_server: BreakableServer
) -> None:
    async with (
        publishing(database_url, redis_url, event_redis_url=redis_server.url) as app,
        redis.asyncio.Redis.from_url(redis_server.url, socket_timeout=5, decode_responses=True) as client,
    ):
        await happen(app, 9)
        await app.outbox.publish()
        ids = (await happen(app, 1, 2, 1))[1:]
        assert await app.outbox.publish() == 3
        # As after a crash before the position was stored.
        async with app.database.begin() as connection:
            await connection.exec_driver_sql("UPDATE event_consumers SET position = 2")
        ids += (await happen(app, 3))[4:]
        assert await app.outbox.publish() == 3
        entries = await client.xrange("leaderboard:events")
        assert [fields["id"] for _, fields in entries] == ids
        assert [checked(fields["event"])["id"] for _, fields in entries] == ids
        redis_server.freeze()
        await happen(app, 4)
        with pytest.raises(ServiceUnavailable):
            await app.outbox.publish()
        redis_server.thaw()
        assert await app.outbox.publish() == 1
        assert await client.xlen("leaderboard:events") == 5


@needs_nats
async def test_jetstream_has_every_event_once_and_in_order_also_after_it_was_killed(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    import nats

    server = NatsServer(tmp_path)
    await server.start()
    try:
        async with publishing(database_url, redis_url, event_nats_url=server.url) as app:
            client = await nats.connect(server.url)
            await client.jetstream().add_stream(name="events", subjects=["leaderboard.>"])
            await client.close()
            await app.outbox.publish()
            await happen(app, 1, 2, 1)
            assert await app.outbox.publish() == 3
            async with app.database.begin() as connection:
                await connection.exec_driver_sql("UPDATE event_consumers SET position = 1")
            await server.kill()
            ids = await happen(app, 3)
            with pytest.raises(ServiceUnavailable):
                await app.outbox.publish()
            await server.start()
            assert await app.outbox.publish() == 3
            client = await nats.connect(server.url)
            consumer = await client.jetstream().subscribe("leaderboard.>", ordered_consumer=True)
            messages = [await consumer.next_msg(timeout=30) for _ in ids]
            await client.close()
            assert [checked(message.data.decode())["id"] for message in messages] == ids
            assert {message.subject for message in messages} == {"leaderboard.user.hidden"}
            (row,) = await rows(app, "SELECT name, position FROM event_consumers")
            assert (row.name, row.position) == ("nats", 4)
    finally:
        await server.kill()


@needs_nats
async def test_a_stream_that_does_not_exist_stops_the_publishing_and_loses_nothing(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    server = NatsServer(tmp_path)
    await server.start()
    try:
        async with publishing(database_url, redis_url, event_nats_url=server.url) as app:
            await app.outbox.publish()
            await happen(app, 1)
            with pytest.raises(ServiceUnavailable):
                await app.outbox.publish()
            assert [row.position for row in await rows(app, "SELECT position FROM event_consumers")] == [0]
    finally:
        await server.kill()
