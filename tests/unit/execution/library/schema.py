"""Mutations, subscriptions and the schema."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import strawberry
from strawberry.schema.config import StrawberryConfig

from app.schema.scalars import SCORE, Score
from tests.unit.execution.library.query import Query
from tests.unit.execution.library.types import (
    AUTHORS,
    BOOKS,
    FILM,
    Banned,
    BannedHandler,
    Book,
    Branch,
    Context,
    Film,
    Forbidden,
    Info,
    Item,
    LendInput,
    LendResult,
    Missing,
    MissingHandler,
    NotFound,
)
from tests.unit.execution.library.values import BROKEN, later


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def lend(self, info: Info, input: LendInput) -> LendResult:
        info.context.calls.append(f"lend {input.isbn}")
        await asyncio.sleep(0)
        for book in BOOKS:
            if book.isbn == input.isbn:
                return book
        if input.isbn == "banned":
            raise Banned
        if input.isbn == "crash":
            raise ZeroDivisionError("crash")
        raise Missing(input.isbn)

    @strawberry.mutation
    async def note(self, info: Info, text: str, steps: int = 1) -> str:
        info.context.calls.append(f"begin {text}")
        await later(None, steps)
        info.context.calls.append(f"end {text}")
        if text == "bad":
            raise ValueError("bad note")
        return text

    @strawberry.mutation
    def jot(self, info: Info, text: str) -> str | None:
        info.context.calls.append(f"jot {text}")
        if text == "bad":
            raise ValueError("bad jot")
        return text


class Events:
    """A source that notices whether it was closed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        context.opened += 1

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return BOOKS[0]

    async def aclose(self) -> None:
        self._context.closed += 1


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def shelf(self, info: Info, count: int = 2, fail_at: int = -1) -> AsyncGenerator[Book, None]:
        info.context.opened += 1
        try:
            for number in range(count):
                if number == fail_at:
                    raise Missing(str(number))
                yield BOOKS[number]
        finally:
            info.context.closed += 1

    @strawberry.subscription
    async def kinds(self) -> AsyncGenerator[Item | None, None]:
        for event in (BOOKS[1], FILM, None, AUTHORS[0]):
            yield event  # type: ignore[misc]

    @strawberry.subscription
    async def broken(self) -> AsyncGenerator[Book, None]:
        for event in BROKEN.values():
            yield event

    @strawberry.subscription
    async def handmade(self, info: Info) -> AsyncGenerator[Book, None]:
        return Events(info.context)  # type: ignore[return-value]

    @strawberry.subscription
    async def refused(self) -> AsyncGenerator[Book, None]:
        raise Missing("stream")


CONFIG = StrawberryConfig(scalar_map={Score: SCORE})

schema = strawberry.Schema(
    Query,
    Mutation,
    Subscription,
    types=[Book, Branch, Film, NotFound, Forbidden],
    exception_handlers=[MissingHandler(), BannedHandler()],
    config=CONFIG,
)
