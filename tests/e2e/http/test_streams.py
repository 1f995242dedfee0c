"""Subscriptions over server-sent events and multipart responses, from a real server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from app.domain.errors import Unauthenticated
from tests.support.graphql.sample_server import SampleApp, serve_http
from tests.support.wait_until import TIMEOUT, until

MULTIPART = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"


class Reader:
    """Takes a stream apart as its clients do."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._chunks = response.aiter_raw()
        self._text = ""

    async def until(self, separator: str) -> str | None:
        """The text before the next separator, or None at the end of the body."""
        async with asyncio.timeout(TIMEOUT):
            while separator not in self._text:
                try:
                    self._text += (await anext(self._chunks)).decode()
                except StopAsyncIteration:
                    return None
        found, _, self._text = self._text.partition(separator)
        return found

    async def event(self) -> tuple[str, Any] | None:
        """The next event that is not a comment, with its data; None at the end of the stream."""
        while (block := await self.until("\n\n")) is not None:
            lines = dict(line.split(":", 1) for line in block.split("\n"))
            if "event" in lines:
                text = lines["data"].strip()
                return lines["event"].strip(), json.loads(text) if text else None
        return None

    async def part(self) -> Any:
        """The body of the next part. Like Apollo Client, it believes a part only when the boundary follows."""
        while (part := await self.until("\r\n---")) is not None:
            _, found, body = part.partition("\r\n\r\n")
            if found:
                return json.loads(body)
        return None

    async def payload(self) -> Any:
        """The next part that is no heartbeat."""
        while (part := await self.part()) == {}:
            pass
        return part


@asynccontextmanager
async def subscribed(url: str, query: str, accept: str = "text/event-stream", **headers: str) -> AsyncIterator[Reader]:
    async with (
        httpx2.AsyncClient(timeout=10) as client,
        client.stream("POST", url, json={"query": query}, headers={"accept": accept, **headers}) as response,
    ):
        yield Reader(response)


def value(number: int) -> tuple[str, Any]:
    return "next", {"data": {"counter": number}}


@pytest.fixture
async def sample() -> SampleApp:
    return SampleApp()


async def test_events_carry_a_snapshot_and_then_every_change(sample: SampleApp):
    async with serve_http(sample) as url, subscribed(url, "subscription{counter}") as reader:
        assert reader.response.status_code == 200
        assert reader.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert reader.response.headers["x-accel-buffering"] == "no"
        assert reader.response.headers["cache-control"] == "no-store"
        assert await reader.event() == value(0)
        await sample.counter.increment()
        assert await reader.event() == value(1)


async def test_events_end_with_complete_when_the_source_does(sample: SampleApp):
    async with serve_http(sample) as url, subscribed(url, "subscription{countdown}") as reader:
        events = [await reader.event() for _ in range(4)]
    assert [event and event[0] for event in events][-2:] == ["complete", None]
    assert events[-3] == ("next", {"data": {"countdown": 1}})


async def test_an_event_source_may_subscribe_by_get(sample: SampleApp):
    headers = {"accept": "text/event-stream", "sec-fetch-mode": "cors"}
    async with (
        serve_http(sample) as url,
        httpx2.AsyncClient() as client,
        client.stream("GET", url, params={"query": "subscription{counter}"}, headers=headers) as response,
    ):
        assert await Reader(response).event() == value(0)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription{", "GRAPHQL_PARSE_FAILED"),
        ("subscription{nothing}", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription($n:Int!){countdown(start:$n)}", "BAD_USER_INPUT"),
        ("subscription{refused}", "RATE_LIMITED"),
    ],
)
async def test_a_refusal_is_told_in_an_event_because_browsers_hide_anything_else(
    sample: SampleApp, query: str, code: str
):
    async with serve_http(sample) as url, subscribed(url, query) as reader:
        assert reader.response.status_code == 200
        event = await reader.event()
        assert event is not None
        assert event[0] == "next"
        assert event[1]["errors"][0]["extensions"]["code"] == code
        assert await reader.event() == ("complete", None)
        assert await reader.event() is None


async def test_queries_and_mutations_are_streams_of_one(sample: SampleApp):
    async with serve_http(sample) as url:
        for query, data in (("{hello}", {"hello": "hello world"}), ("mutation{move}", {"move": 1})):
            async with subscribed(url, query) as reader:
                events = [await reader.event(), await reader.event(), await reader.event()]
                assert events == [("next", {"data": data}), ("complete", None), None]


async def test_equal_subscriptions_are_executed_once(sample: SampleApp):
    query = "subscription{counter}"
    async with (
        serve_http(sample) as url,
        subscribed(url, query) as one,
        subscribed(url, query) as other,
        subscribed(url, query, MULTIPART) as third,
    ):
        assert [await one.event(), await other.event()] == [value(0), value(0)]
        assert await third.payload() == {"payload": {"data": {"counter": 0}}}
        assert sample.counter.watchers == 1
        await sample.counter.increment()
        assert [await one.event(), await other.event()] == [value(1), value(1)]
        assert await third.payload() == {"payload": {"data": {"counter": 1}}}


async def test_what_depends_on_the_viewer_is_not_shared(sample: SampleApp):
    query = "subscription{whisper}"
    async with (
        serve_http(sample) as url,
        subscribed(url, query, authorization="Bearer ann") as ann,
        subscribed(url, query, authorization="Bearer bob") as bob,
    ):
        assert await ann.event() == ("next", {"data": {"whisper": "ann:0"}})
        assert await bob.event() == ("next", {"data": {"whisper": "bob:0"}})


async def test_a_client_that_leaves_ends_its_execution(sample: SampleApp):
    async with serve_http(sample) as url:
        for query in ("subscription{counter}", "subscription{whisper}"):
            for accept in ("text/event-stream", MULTIPART):
                async with subscribed(url, query, accept) as reader:
                    await (reader.event() if accept == "text/event-stream" else reader.payload())
                    assert (sample.counter.watchers, sample.streams.open) == (1, 1)
                await until(lambda: (sample.counter.watchers, sample.streams.open) == (0, 0))
        assert sample.multiplexer.groups == 0


async def test_a_stop_ends_streams_at_once_and_asks_clients_to_come_back(sample: SampleApp):
    query = "subscription{counter}"
    async with serve_http(sample) as url, subscribed(url, query) as events, subscribed(url, query, MULTIPART) as parts:
        await events.event()
        await parts.payload()
        sample.stop.set()
        assert await events.event() is None  # no `complete`: that would mean not to come back
        assert (await parts.payload())["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE"
        async with httpx2.AsyncClient() as client:
            refused = await client.post(
                url, json={"query": query}, headers={"accept": "multipart/mixed;subscriptionSpec=1.0"}
            )
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        await until(lambda: sample.counter.watchers == 0)


async def test_there_are_only_so_many_streams():
    sample = SampleApp(streaming={"max_streams": 1})
    async with serve_http(sample) as url, subscribed(url, "subscription{counter}") as first:
        await first.event()
        async with subscribed(url, "subscription{counter}") as second:
            event = await second.event()
            assert event is not None
            assert event[1]["errors"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_a_quiet_stream_shows_that_it_is_alive():
    sample = SampleApp(streaming={"heartbeat_interval": 0.05})
    async with (
        serve_http(sample) as url,
        subscribed(url, "subscription{counter}") as events,
        subscribed(url, "subscription{counter}", MULTIPART) as parts,
    ):
        await events.event()
        assert [await events.until("\n\n") for _ in range(2)] == [":", ":"]
        await parts.payload()
        assert [await parts.part() for _ in range(2)] == [{}, {}]


@pytest.mark.parametrize(
    ("why", "extensions"),
    [
        (Unauthenticated(expired=True), {"code": "UNAUTHENTICATED", "reason": "TOKEN_EXPIRED"}),
        (Unauthenticated(), {"code": "UNAUTHENTICATED"}),
    ],
    ids=["expired", "withdrawn"],
)
async def test_a_stream_ends_when_the_access_token_is_no_longer_good(
    sample: SampleApp, why: Unauthenticated, extensions: dict[str, str]
):
    async with (
        serve_http(sample) as url,
        subscribed(url, "subscription{whisper}", authorization="Bearer ann") as reader,
    ):
        await reader.event()
        sample.invalid["ann"].set_result(why)
        event = await reader.event()
        assert event is not None
        assert event[1]["errors"][0]["extensions"] == extensions
        assert await reader.event() == ("complete", None)


async def test_parts_follow_apollos_protocol(sample: SampleApp):
    async with serve_http(sample) as url, subscribed(url, "subscription{countdown}", MULTIPART) as reader:
        content_type = 'multipart/mixed; boundary="-"; subscriptionSpec="1.0"'
        assert reader.response.headers["content-type"] == content_type
        body = b"".join([chunk async for chunk in reader.response.aiter_raw()])
    *parts, end = body.split(b"\r\n---")
    assert end == b"--\r\n"  # the closing boundary, behind an empty part
    payloads = [json.loads(part.partition(b"\r\n\r\n")[2]) for part in parts[1:]]
    assert payloads[-2:] == [{"payload": {"data": {"countdown": 1}}}, {}]


async def test_a_refusal_before_the_first_part_is_a_plain_answer(sample: SampleApp):
    async with serve_http(sample) as url, httpx2.AsyncClient() as client:
        response = await client.post(url, json={"query": "subscription{nothing}"}, headers={"accept": MULTIPART})
    assert response.headers["content-type"].startswith("application/json")
    assert response.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
