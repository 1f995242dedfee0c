"""Shared executions without sockets: what a member is told, in which order, whatever happens at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import orjson
import pytest
import strawberry
from strawberry.types import Info

from app.execution import Engine, RequestError
from app.transport.multiplexing.iterator import MultiplexedStream
from app.transport.multiplexing.multiplexer import SubscriptionMultiplexer
from app.transport.multiplexing.payload import Payload
from tests.support.wait_until import TIMEOUT, until

STATES = 'subscription S($channel: String! = "a") { states(channel: $channel) }'


class Event(str):
    """A state that says when it came to be: at the time that is its number."""

    def __new__(cls, text: str) -> Event:
        event = super().__new__(cls, text)
        event.changed_at = float(text.split()[1])
        return event

    changed_at: float


NOW = 10.0
"""The time by the clock of the multiplexer."""


class Script:
    """What the source does, step by step, decided by the test."""

    def __init__(self) -> None:
        self.opened = 0
        self.open = 0
        self.version = 1
        self.first = asyncio.Event()
        """First events wait for this."""
        self.first.set()
        self.reading = asyncio.Event()
        """A first event is waiting."""
        self.end: Exception | bool = False
        self._moved = asyncio.Event()

    def move(self) -> None:
        self.version += 1
        self._moved.set()
        self._moved = asyncio.Event()

    def finish(self, end: Exception | bool = True) -> None:
        self.end = end
        self._moved.set()

    async def states(self) -> AsyncGenerator[str, None]:
        self.opened += 1
        self.open += 1
        try:
            self.reading.set()
            await self.first.wait()
            seen = self.version
            if self.end is True:
                return
            if isinstance(self.end, Exception):
                raise self.end
            yield f"SNAPSHOT {seen}"
            while True:
                while self.version == seen and not self.end:
                    await self._moved.wait()
                if isinstance(self.end, Exception):
                    raise self.end
                if self.end:
                    return
                seen = self.version
                yield Event(f"UPDATE {seen}")
        finally:
            self.open -= 1


@strawberry.type
class Query:
    x: int = 1


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def states(self, info: Info[Script, None], channel: str) -> AsyncGenerator[str, None]:
        async for state in info.context.states():
            yield state

    @strawberry.subscription
    async def unencodable(self) -> AsyncGenerator[float, None]:
        yield float("inf")


ENGINE = Engine(strawberry.Schema(Query, None, Subscription))
SNAPSHOT_INTERVAL = 0.1


class Subscriber:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def next(self, payload: Payload) -> None:
        self.heard.append(orjson.loads(payload.body)["data"]["states"])

    def fail(self, body: bytes) -> None:
        self.heard.append(orjson.loads(body)["errors"][0]["message"])

    def complete(self) -> None:
        self.heard.append("complete")


@pytest.fixture
async def script() -> Script:
    return Script()


@pytest.fixture
async def multiplexer(script: Script) -> AsyncIterator[SubscriptionMultiplexer]:
    multiplexer = SubscriptionMultiplexer(
        ENGINE, lambda _: script, snapshot_interval=SNAPSHOT_INTERVAL, clock=lambda: NOW
    )
    yield multiplexer
    script.finish()
    script.first.set()
    await until(lambda: multiplexer.groups == script.open == 0)


async def turn_by_turn(condition: Callable[[], bool]) -> None:
    """Returns in the turn of the event loop in which `condition` begins to hold."""
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110  what happens within a turn has no event
            await asyncio.sleep(0)


def _join(
    multiplexer: SubscriptionMultiplexer, number: int = 1, variables: dict[str, Any] | None = None
) -> list[Subscriber]:
    operation = ENGINE.prepare(STATES)
    members = [Subscriber() for _ in range(number)]
    for subscriber in members:
        multiplexer.join(operation, variables, subscriber)
    return members


async def test_everyone_who_joins_before_the_first_event_gets_it(
    multiplexer: SubscriptionMultiplexer, script: Script
) -> None:
    members = _join(multiplexer, 2000)
    await until(lambda: all(subscriber.heard == ["SNAPSHOT 1"] for subscriber in members))
    assert script.opened == 1


async def test_who_comes_while_nothing_happened_gets_the_same_snapshot(
    multiplexer: SubscriptionMultiplexer, script: Script
) -> None:
    (early,) = _join(multiplexer)
    await until(lambda: early.heard == ["SNAPSHOT 1"])
    (late,) = _join(multiplexer)
    assert late.heard == ["SNAPSHOT 1"]
    assert script.opened == 1


async def test_late_joiners_share_one_greeting(multiplexer: SubscriptionMultiplexer, script: Script) -> None:
    (early,) = _join(multiplexer)
    await until(lambda: early.heard == ["SNAPSHOT 1"])
    script.move()
    await until(lambda: early.heard == ["SNAPSHOT 1", "UPDATE 2"])
    late = _join(multiplexer, 1000)
    await until(lambda: all(subscriber.heard == ["SNAPSHOT 2"] for subscriber in late))
    assert (script.opened, multiplexer.counters.executions) == (2, 2)
    await until(lambda: script.open == 1)
    assert _join(multiplexer)[0].heard == ["SNAPSHOT 2"]
    script.move()
    await until(lambda: all(subscriber.heard == ["SNAPSHOT 2", "UPDATE 3"] for subscriber in late))
    assert early.heard == ["SNAPSHOT 1", "UPDATE 2", "UPDATE 3"]


async def test_greetings_keep_their_distance(multiplexer: SubscriptionMultiplexer, script: Script) -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    (early,) = _join(multiplexer)
    for version in range(2, 7):
        await until(lambda: bool(early.heard))
        script.move()
        await until(lambda: early.heard[-1] == f"UPDATE {version}")  # noqa: B023
        (late,) = _join(multiplexer)
        await until(lambda: late.heard == [f"SNAPSHOT {version}"])  # noqa: B023
    assert loop.time() - begin >= 5 * SNAPSHOT_INTERVAL


async def test_a_snapshot_that_raced_with_an_event_is_read_again(
    multiplexer: SubscriptionMultiplexer, script: Script
) -> None:
    (early,) = _join(multiplexer)
    await until(lambda: bool(early.heard))
    script.move()
    await until(lambda: early.heard[-1] == "UPDATE 2")
    script.first.clear()
    script.reading.clear()
    (late,) = _join(multiplexer)
    await asyncio.wait_for(script.reading.wait(), TIMEOUT)
    script.move()
    await until(lambda: early.heard[-1] == "UPDATE 3")
    script.first.set()
    await until(lambda: bool(late.heard))
    assert late.heard == ["SNAPSHOT 3"]
    assert script.opened == 3


async def test_a_joiner_of_a_board_that_never_rests_is_served_all_the_same(
    multiplexer: SubscriptionMultiplexer, script: Script
) -> None:
    (early,) = _join(multiplexer)
    await until(lambda: bool(early.heard))
    script.move()
    await until(lambda: early.heard[-1] == "UPDATE 2")
    script.first.clear()
    (late,) = _join(multiplexer)
    while not late.heard:
        script.reading.clear()
        await asyncio.wait_for(script.reading.wait(), TIMEOUT)
        script.move()
        newest = f"UPDATE {script.version}"
        await until(lambda: early.heard[-1] == newest)  # noqa: B023
        script.first.set()
        await until(lambda: script.open == 1)
        script.first.clear()
    assert script.opened == 5
    assert late.heard[0].startswith("SNAPSHOT")
    assert late.heard[-1] == newest


async def test_a_newer_state_overtakes_one_that_is_still_being_written(
    multiplexer: SubscriptionMultiplexer, script: Script
) -> None:
    members = _join(multiplexer, 20_000)
    await until(lambda: all(subscriber.heard for subscriber in members))
    script.move()
    await turn_by_turn(lambda: members[0].heard[-1] == "UPDATE 2")
    assert members[-1].heard == ["SNAPSHOT 1"]
    script.move()
    await until(lambda: all(subscriber.heard[-1] == "UPDATE 3" for subscriber in members))
    assert members[0].heard == ["SNAPSHOT 1", "UPDATE 2", "UPDATE 3"]
    assert members[-1].heard == ["SNAPSHOT 1", "UPDATE 3"]
    behind = sum(len(subscriber.heard) == 2 for subscriber in members)
    assert multiplexer.counters.superseded == behind > 0
    # Everybody has waited since the first state that was not written to them.
    served = len(members) - behind
    lag = multiplexer.counters.lag
    assert (lag.count, lag.sum) == (served + len(members), served * (NOW - 2) + served * (NOW - 3) + behind * (NOW - 2))


async def test_who_leaves_while_a_state_is_being_written_does_not_get_it(
    multiplexer: SubscriptionMultiplexer, script: Script
) -> None:
    operation = ENGINE.prepare(STATES)
    members = [Subscriber() for _ in range(1500)]
    (group,) = {multiplexer.join(operation, None, subscriber) for subscriber in members}
    await until(lambda: all(subscriber.heard for subscriber in members))
    script.move()
    await turn_by_turn(lambda: members[0].heard[-1] == "UPDATE 2")
    group.leave(members[-1])
    group.leave(members[-1])
    await until(lambda: members[-2].heard[-1] == "UPDATE 2")
    assert members[-1].heard == ["SNAPSHOT 1"]
    assert multiplexer.counters.members == 1499


async def test_one_member_that_breaks_does_not_keep_the_news_from_the_others(
    multiplexer: SubscriptionMultiplexer, script: Script
) -> None:
    class Broken(Subscriber):
        def next(self, payload: Payload) -> None:
            super().next(payload)
            if len(self.heard) > 1:
                raise ValueError

    reports: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reports.append(context["exception"]))
    try:
        multiplexer.join(ENGINE.prepare(STATES), None, Broken())
        (subscriber,) = _join(multiplexer)
        await until(lambda: bool(subscriber.heard))
        script.move()
        await until(lambda: subscriber.heard == ["SNAPSHOT 1", "UPDATE 2"])
    finally:
        loop.set_exception_handler(None)
    assert [type(report) for report in reports] == [ValueError]


@pytest.mark.parametrize(("end", "words"), [(True, "complete"), (ValueError("broken"), "broken")])
async def test_everyone_is_told_of_the_end_after_the_last_state(
    multiplexer: SubscriptionMultiplexer, script: Script, end: Exception | bool, words: str
) -> None:
    members = _join(multiplexer, 1200)
    await until(lambda: all(subscriber.heard for subscriber in members))
    script.move()
    await turn_by_turn(lambda: members[0].heard[-1] == "UPDATE 2")
    script.finish(end)
    await until(lambda: all(subscriber.heard == ["SNAPSHOT 1", "UPDATE 2", words] for subscriber in members))
    assert (multiplexer.groups, multiplexer.counters.members, script.open) == (0, 0, 0)


@pytest.mark.parametrize(("end", "words"), [(True, "complete"), (ValueError("broken"), "broken")])
async def test_a_source_that_ends_before_its_first_event_ends_everyone(
    multiplexer: SubscriptionMultiplexer, script: Script, end: Exception | bool, words: str
) -> None:
    script.end = end
    members = _join(multiplexer, 3)
    await until(lambda: all(subscriber.heard == [words] for subscriber in members))
    assert (multiplexer.groups, multiplexer.counters.members, script.open) == (0, 0, 0)


@pytest.mark.parametrize(("end", "words"), [(True, "complete"), (ValueError("broken"), "broken")])
async def test_a_greeting_that_fails_concerns_those_alone_who_wait_for_it(
    multiplexer: SubscriptionMultiplexer, script: Script, end: Exception | bool, words: str
) -> None:
    (early,) = _join(multiplexer)
    await until(lambda: bool(early.heard))
    script.move()
    await until(lambda: early.heard[-1] == "UPDATE 2")
    script.end = end
    late = _join(multiplexer, 2)
    await until(lambda: all(subscriber.heard == [words] for subscriber in late))
    script.end = False
    assert early.heard == ["SNAPSHOT 1", "UPDATE 2"]
    (later,) = _join(multiplexer)
    await until(lambda: later.heard == ["SNAPSHOT 2"])
    assert multiplexer.counters.members == 2


async def test_the_end_of_the_source_ends_those_too_who_wait_for_a_greeting(
    multiplexer: SubscriptionMultiplexer, script: Script
) -> None:
    (early,) = _join(multiplexer)
    await until(lambda: bool(early.heard))
    script.move()
    await until(lambda: early.heard[-1] == "UPDATE 2")
    script.first.clear()
    (late,) = _join(multiplexer)
    await until(lambda: script.open == 2)
    script.finish()
    await until(lambda: early.heard[-1] == "complete")
    await until(lambda: late.heard == ["complete"])
    assert (multiplexer.groups, multiplexer.counters.members) == (0, 0)


async def test_the_last_to_leave_ends_the_execution_and_a_greeting_under_way(
    multiplexer: SubscriptionMultiplexer, script: Script
) -> None:
    operation = ENGINE.prepare(STATES)
    early, late = Subscriber(), Subscriber()
    group = multiplexer.join(operation, None, early)
    await until(lambda: bool(early.heard))
    script.move()
    await until(lambda: early.heard[-1] == "UPDATE 2")
    script.first.clear()
    multiplexer.join(operation, None, late)
    await until(lambda: script.open == 2)
    group.leave(early)
    assert multiplexer.groups == 1
    group.leave(late)
    assert (multiplexer.groups, multiplexer.counters.members) == (0, 0)
    await until(lambda: script.open == 0)


async def test_who_joins_after_the_last_has_left_gets_an_execution_of_its_own(
    multiplexer: SubscriptionMultiplexer, script: Script
) -> None:
    operation = ENGINE.prepare(STATES)
    first, second = Subscriber(), Subscriber()
    multiplexer.join(operation, None, first).leave(first)
    multiplexer.join(operation, None, second)
    await until(lambda: second.heard == ["SNAPSHOT 1"])
    assert first.heard == []
    await until(lambda: script.open == 1)


async def test_bad_variables_are_refused_and_no_execution_starts(multiplexer: SubscriptionMultiplexer) -> None:
    with pytest.raises(RequestError):
        _join(multiplexer, variables={"channel": 7})
    assert (multiplexer.groups, multiplexer.counters.members) == (0, 0)


async def test_a_stream_begins_with_a_snapshot_and_skips_to_the_newest_state(
    multiplexer: SubscriptionMultiplexer, script: Script
) -> None:
    stream = MultiplexedStream(multiplexer, ENGINE.prepare(STATES), None)
    (other,) = _join(multiplexer)
    await until(lambda: bool(other.heard))
    for version in (2, 3, 4):
        script.move()
        await until(lambda: other.heard[-1] == f"UPDATE {version}")  # noqa: B023
    assert await anext(stream) == b'{"data":{"states":"SNAPSHOT 1"}}'
    assert await anext(stream) == b'{"data":{"states":"UPDATE 4"}}'
    assert multiplexer.counters.superseded == 2
    waiting = asyncio.create_task(anext(stream, None))
    await until(lambda: not waiting.done())
    script.move()
    assert await asyncio.wait_for(waiting, TIMEOUT) == b'{"data":{"states":"UPDATE 5"}}'
    await stream.aclose()
    await stream.aclose()
    assert await anext(stream, None) is None
    assert multiplexer.counters.members == 1


async def test_a_stream_ends_with_its_source_after_what_is_owed(
    multiplexer: SubscriptionMultiplexer, script: Script
) -> None:
    stream = MultiplexedStream(multiplexer, ENGINE.prepare(STATES), None)
    assert await anext(stream) == b'{"data":{"states":"SNAPSHOT 1"}}'
    script.move()
    await until(lambda: multiplexer.groups == 1)
    script.finish()
    assert [body async for body in stream][-1:] in ([], [b'{"data":{"states":"UPDATE 2"}}'])


async def test_a_failed_execution_is_the_last_body_of_a_stream(
    multiplexer: SubscriptionMultiplexer, script: Script
) -> None:
    script.end = ValueError("broken")
    bodies = [body async for body in MultiplexedStream(multiplexer, ENGINE.prepare(STATES), None)]
    assert [orjson.loads(body)["errors"][0]["message"] for body in bodies] == ["broken"]


async def test_a_stream_refuses_bad_variables_before_it_begins(multiplexer: SubscriptionMultiplexer) -> None:
    with pytest.raises(RequestError):
        MultiplexedStream(multiplexer, ENGINE.prepare(STATES), {"channel": None})
