"""The preparation of operations, and coroutines whose first step was made by hand."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from app.execution import BoundOperation, Engine
from app.transport.operations import Operations, finish_coroutine
from app.transport.parameters import Parameters
from app.transport.persisted_documents.resolve import Documents
from tests.unit.execution.library import schema


def stepped(coroutine: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
    return finish_coroutine(coroutine, coroutine.send(None))


async def test_the_rest_gives_the_result_of_the_whole():
    waited: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def work() -> int:
        first = await waited
        await asyncio.sleep(0)
        return first + 1

    rest = stepped(work())
    waited.set_result(1)
    assert await rest == 2


async def test_an_exception_on_the_way_is_thrown_where_it_was_awaited():
    waited: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        try:
            await waited
        except KeyError:
            await asyncio.sleep(0)
            return "caught"
        return "not raised"

    rest = stepped(work())
    waited.set_exception(KeyError())
    assert await rest == "caught"


async def test_what_the_coroutine_raises_is_raised():
    async def work() -> None:
        await asyncio.sleep(0)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await stepped(work())


async def endless(cleaned: list[bool]) -> None:
    """Waits for ever, and tells `cleaned` when it does not have to any more."""
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        cleaned.append(True)


async def test_a_cancellation_reaches_the_coroutine_and_its_caller():
    cleaned: list[bool] = []
    rest = asyncio.ensure_future(stepped(endless(cleaned)))
    await asyncio.sleep(0)
    rest.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rest
    assert cleaned == [True]


async def test_a_rest_that_nobody_awaits_to_its_end_closes_the_coroutine():
    cleaned: list[bool] = []
    rest = stepped(endless(cleaned))
    rest.send(None)
    rest.close()
    assert cleaned == [True]


async def admit_all(context: Any, bound: BoundOperation | None, *, stores_document: bool = False) -> None:
    """Count nothing."""


async def test_others_go_on_between_two_new_documents_that_came_together():
    operations = Operations(Engine(schema), Documents(), admit_all)
    iterations = 0

    async def count() -> None:
        nonlocal iterations
        while True:
            iterations += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    prepared_at: list[int] = []

    async def prepare(number: int) -> None:
        await operations.prepare(Parameters(query=f"{{ a{number}: __typename }}"), None)
        prepared_at.append(iterations)

    async with asyncio.timeout(60):
        await asyncio.gather(*map(prepare, range(5)))
    counting.cancel()
    assert len(set(prepared_at)) == 5
