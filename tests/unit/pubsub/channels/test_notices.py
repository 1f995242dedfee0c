"""The channel for everything besides the moves of boards."""

from __future__ import annotations

import asyncio

import pytest

from app.pubsub.channels.events import Canary, CatalogueChanged, Notice, NoticesLost, SocketClosed
from tests.support.wait_until import TIMEOUT
from tests.unit.pubsub.hub_fixture import staged
from tests.unit.pubsub.manual_clock import settle


async def test_listeners_hear_every_notice_in_order_and_of_every_loss() -> None:
    async with staged() as stage:
        heard: list[Notice] = []
        stage.notices.listen(heard.append)
        await stage.notices.publish(CatalogueChanged())
        await stage.notices.publish(SocketClosed("s"))
        await settle()
        stage.wire.lose("notices")
        await settle()
        assert heard == [CatalogueChanged(), SocketClosed("s"), NoticesLost()]


async def test_a_listener_that_fails_does_not_deafen_the_others() -> None:
    def broken(notice: Notice) -> None:
        raise ValueError(notice)

    async with staged() as stage:
        heard: list[Notice] = []
        stage.notices.listen(broken)
        stage.notices.listen(heard.append)
        await stage.notice(CatalogueChanged())
        await stage.notice(CatalogueChanged())
        assert len(heard) == 2


async def test_what_makes_no_sense_is_counted_and_told_to_nobody() -> None:
    async with staged() as stage:
        heard: list[Notice] = []
        stage.notices.listen(heard.append)
        await stage.broadcast.publish("notices", '{"next-year": 1}')
        await settle()
        assert heard == []
        assert stage.notices.unreadable == 1


async def test_a_loss_of_notices_makes_the_hub_read_everything_anew() -> None:
    async with staged() as stage:
        await stage.score(1, 10)
        watcher = await stage.watch()
        await stage.clock.advance(0.5)
        stage.boards.names[1] = "Ann"
        stage.wire.lose("notices")
        await settle()
        assert watcher.last.page.entries[0].user.username == "Ann"


async def test_a_canary_comes_back_and_only_to_who_sent_it() -> None:
    async with staged() as stage:
        heard: list[Notice] = []
        stage.notices.listen(heard.append)
        stage.wire.hold()
        waiting = asyncio.create_task(stage.notices.canary("a", timeout=TIMEOUT))
        await settle()
        own = stage.wire.release()
        await stage.notice(Canary("b"))  # another process's
        assert not waiting.done()
        for event in own:
            await stage.wire.publish(event.channel, event.message)
        await waiting
        assert heard == []


async def test_a_canary_that_does_not_come_back_is_missed_in_time() -> None:
    async with staged() as stage:
        stage.stop()
        with pytest.raises(TimeoutError):
            await stage.notices.canary("a", timeout=0.01)
