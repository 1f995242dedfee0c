"""The channel for everything besides the moves of boards."""

from __future__ import annotations

import asyncio

import pytest

from app.pubsub.channels.events import CatalogueChanged, Notice, NoticesLost, Probe, SocketClosed
from tests.support.wait_until import TIMEOUT
from tests.unit.pubsub.hub_fixture import running_hub
from tests.unit.pubsub.manual_clock import settle


async def test_listeners_hear_every_notice_in_order_and_of_every_loss() -> None:
    async with running_hub() as hub_fixture:
        heard: list[Notice] = []
        hub_fixture.notices.listen(heard.append)
        await hub_fixture.notices.publish(CatalogueChanged())
        await hub_fixture.notices.publish(SocketClosed("s"))
        await settle()
        hub_fixture.backend.lose("notices")
        await settle()
        assert heard == [CatalogueChanged(), SocketClosed("s"), NoticesLost()]


async def test_a_listener_that_fails_does_not_deafen_the_others() -> None:
    def broken(notice: Notice) -> None:
        raise ValueError(notice)

    async with running_hub() as hub_fixture:
        heard: list[Notice] = []
        hub_fixture.notices.listen(broken)
        hub_fixture.notices.listen(heard.append)
        await hub_fixture.notice(CatalogueChanged())
        await hub_fixture.notice(CatalogueChanged())
        assert len(heard) == 2


async def test_what_makes_no_sense_is_counted_and_told_to_nobody() -> None:
    async with running_hub() as hub_fixture:
        heard: list[Notice] = []
        hub_fixture.notices.listen(heard.append)
        await hub_fixture.broadcast.publish("notices", '{"next-year": 1}')
        await settle()
        assert heard == []
        assert hub_fixture.notices.unreadable == 1


async def test_a_loss_of_notices_makes_the_hub_read_everything_anew() -> None:
    async with running_hub() as hub_fixture:
        await hub_fixture.score(1, 10)
        watcher = await hub_fixture.watch()
        await hub_fixture.clock.advance(0.5)
        hub_fixture.boards.names[1] = "Ann"
        hub_fixture.backend.lose("notices")
        await settle()
        assert watcher.last.page.entries[0].user.username == "Ann"


async def test_a_probe_comes_back_and_only_to_who_sent_it() -> None:
    async with running_hub() as hub_fixture:
        heard: list[Notice] = []
        hub_fixture.notices.listen(heard.append)
        hub_fixture.backend.hold()
        waiting = asyncio.create_task(hub_fixture.notices.probe("a", timeout=TIMEOUT))
        await settle()
        own = hub_fixture.backend.release()
        await hub_fixture.notice(Probe("b"))  # another process's
        assert not waiting.done()
        for event in own:
            await hub_fixture.backend.publish(event.channel, event.message)
        await waiting
        assert heard == []


async def test_a_probe_that_does_not_come_back_is_missed_in_time() -> None:
    async with running_hub() as hub_fixture:
        hub_fixture.stop()
        with pytest.raises(TimeoutError):
            await hub_fixture.notices.probe("a", timeout=0.01)
