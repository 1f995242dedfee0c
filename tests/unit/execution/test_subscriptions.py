from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator

import pytest

from app.execution import Engine, RequestError, Response
from tests.support.wait_until import TIMEOUT
from tests.unit.execution.library import Context, Missing


async def subscribed(engine: Engine, query: str, context: Context) -> AsyncGenerator[Response, None]:
    return await engine.subscribe(engine.prepare(query), None, context)


async def test_each_event_is_executed(engine: Engine, context: Context) -> None:
    stream = await subscribed(engine, "subscription { shelf(count: 2) { isbn } }", context)
    assert [engine.encode(response) async for response in stream] == [
        b'{"data":{"shelf":{"isbn":"1000"}}}',
        b'{"data":{"shelf":{"isbn":"1001"}}}',
    ]
    assert (context.opened, context.closed) == (1, 1)


async def test_a_resolver_that_fails_before_it_returns_a_source_is_a_refusal(engine: Engine, context: Context) -> None:
    with pytest.raises(RequestError) as caught:
        await subscribed(engine, "subscription { r: refused { isbn } }", context)
    (error,) = caught.value.errors
    assert isinstance(error.original_error, Missing)
    assert error.path == ["r"]


async def test_a_generator_that_fails_before_its_first_event_is_a_refusal(engine: Engine, context: Context) -> None:
    stream = await subscribed(engine, "subscription { s: shelf(failAt: 0) { isbn } }", context)
    with pytest.raises(RequestError) as caught:
        await anext(stream)
    (error,) = caught.value.errors
    assert isinstance(error.original_error, Missing)
    assert (error.path, error.locations) == (["s"], [(1, 16)])
    assert [response async for response in stream] == []


async def test_a_later_failure_is_one_response_and_then_the_end(engine: Engine, context: Context) -> None:
    stream = await subscribed(engine, "subscription { s: shelf(failAt: 1) { isbn } }", context)
    first, last = [response async for response in stream]
    assert first.data == {"s": {"isbn": "1000"}}
    assert engine.encode(last) == (b'{"errors":[{"message":"no 1","locations":[{"line":1,"column":16}],"path":["s"]}]}')
    assert isinstance(last.errors[0].original_error, Missing)


async def test_a_consumer_that_stops_closes_the_generator(engine: Engine, context: Context) -> None:
    stream = await subscribed(engine, "subscription { shelf(count: 9) { isbn } }", context)
    await anext(stream)
    await stream.aclose()
    assert (context.opened, context.closed) == (1, 1)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_source_is_closed_even_when_no_event_was_asked_for(engine: Engine, context: Context) -> None:
    stream = await subscribed(engine, "subscription { handmade { isbn } }", context)
    await stream.aclose()
    assert context.opened == 1
    assert context.closed >= 1


async def test_a_cancelled_consumer_closes_the_source(engine: Engine, context: Context) -> None:
    query = "subscription { shelf(count: 1000000) { isbn } }"
    stream = await subscribed(engine, query, context)
    started = asyncio.Event()

    async def consume() -> None:
        try:
            async for _ in stream:
                started.set()
                await asyncio.sleep(0)
        finally:
            await stream.aclose()

    task = asyncio.create_task(consume())
    async with asyncio.timeout(TIMEOUT):
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (context.opened, context.closed) == (1, 1)
    gc.collect()


async def test_what_is_thrown_into_the_stream_comes_back_after_the_source_closed(
    engine: Engine, context: Context
) -> None:
    stream = await subscribed(engine, "subscription { shelf(count: 9) { isbn } }", context)
    await anext(stream)
    with pytest.raises(KeyError):
        await stream.athrow(KeyError("x"))
    assert context.closed == 1


async def test_bad_variables_refuse_a_subscription(engine: Engine, context: Context) -> None:
    operation = engine.prepare("subscription S($n: Int!) { shelf(count: $n) { isbn } }")
    with pytest.raises(RequestError) as caught:
        await engine.subscribe(operation, {}, context)
    assert caught.value.errors[0].extensions == {"code": "BAD_USER_INPUT"}
