"""Queries: one for each way a resolver can deliver or fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from copy import copy
from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry.scalars import JSON

from app.schema.scalars import Score
from tests.unit.execution.library.types import (
    AUTHORS,
    BOOKS,
    FILM,
    NODES,
    Amount,
    Author,
    Banned,
    Book,
    BookBy,
    Denied,
    Film,
    Genre,
    Info,
    Item,
    LendResult,
    Missing,
    Node,
    Order,
    Page,
    Person,
    Reader,
    Window,
    Work,
)
from tests.unit.execution.library.values import BROKEN, Lazy, Row, disguised, later


@strawberry.type
class Query:
    @strawberry.field
    def books(self, first: int = 10) -> list[Book]:
        return BOOKS[:first]

    @strawberry.field
    async def catalogue(self, info: Info, first: int = 10) -> list[Book]:
        info.context.calls.append(f"catalogue {first}")
        return BOOKS[:first]

    @strawberry.field
    async def book(self, isbn: strawberry.ID) -> Book | None:
        await asyncio.sleep(0)
        return next((book for book in BOOKS if book.isbn == isbn), None)

    @strawberry.field
    def must(self, isbn: strawberry.ID) -> Book:
        return next((book for book in BOOKS if book.isbn == isbn), None)  # type: ignore[return-value]

    @strawberry.field
    async def node(self, id: strawberry.ID) -> Node | None:
        await asyncio.sleep(0)
        return NODES.get(id)

    @strawberry.field
    def nodes(self, ids: list[strawberry.ID]) -> list[Node | None]:
        return [NODES.get(id) for id in ids]

    @strawberry.field
    def find(self, by: BookBy, info: Info) -> str:
        info.context.calls.append(f"find {by.isbn!r} {by.title!r}")
        return f"{by.isbn or by.title or by.window}"

    @strawberry.field(metadata={"viewer": "to"})
    def nearby(self, info: Info, to: strawberry.ID | None = None) -> list[Author]:
        return [author for author in AUTHORS if (author.id == to if to else author.name == info.context.viewer)]

    @strawberry.field
    def window(self, window: Window, info: Info) -> list[str]:
        found = [f"{book.isbn} {window.after}" for book in BOOKS if book.genre in window.genres]
        window.genres.clear()  # a resolver may do as it likes with its own input
        return found[: window.first]

    @strawberry.field
    def order(self, order: Order) -> str:
        return repr(order)

    @strawberry.field
    def orders(self, orders: list[Order], amount: Amount | None = None) -> list[str]:
        return [repr(one) for one in (*orders, amount)]

    @strawberry.field
    def echo(
        self,
        text: str | None = "dflt",
        number: int | None = None,
        ratio: float = 1.5,
        at: datetime | None = None,
        genre: Genre = Genre.NOVEL,
        words: list[str] | None = None,
        maybe: str | None = strawberry.UNSET,
        blob: JSON | None = None,
        score: Score = 1,
    ) -> str:
        return repr((text, number, ratio, at, genre, words, maybe, blob, score))

    @strawberry.field
    def broken(self, kind: str) -> Book | None:
        return BROKEN[kind]

    @strawberry.field
    def broken_list(self) -> list[Book | None]:
        return list(BROKEN.values())

    @strawberry.field
    def broken_strict(self) -> list[Book] | None:
        return [BROKEN["fine"], BROKEN["null title"], BROKEN["wrong int"]]

    @strawberry.field
    def once(self) -> list[Book]:
        return Lazy(BOOKS[0], BOOKS[1])  # type: ignore[return-value]

    @strawberry.field
    async def flow(self) -> list[int]:
        async def numbers() -> AsyncIterator[Any]:
            yield 1
            yield "two"

        return numbers()  # type: ignore[return-value]

    @strawberry.field
    def promises(self) -> list[int | None]:
        return [1, later(2), later(ValueError("three")), 4, later(5, 3)]  # type: ignore[list-item]

    @strawberry.field
    def strict_promises(self) -> list[int] | None:
        return [later(1, 3), 2, "three", later(4), 5]  # type: ignore[list-item]

    @strawberry.field
    def item(self, film: bool = False) -> Item | None:
        return FILM if film else BOOKS[0]

    @strawberry.field
    def items(self) -> list[Item]:
        return [BOOKS[0], FILM, BOOKS[1]]

    @strawberry.field
    def odd_items(self) -> list[Item | None]:
        return [BOOKS[0], AUTHORS[0], 12, {"a": 1}, None, ValueError("in the list")]  # type: ignore[list-item]

    @strawberry.field
    def works(self) -> list[Work]:
        return [BOOKS[0], FILM]

    @strawberry.field
    async def slow_works(self) -> list[Work | None]:
        return [await later(FILM), BOOKS[3], AUTHORS[1]]  # type: ignore[list-item]

    @strawberry.field(metadata={"viewer": True})
    async def me(self, info: Info) -> Author:
        return next(author for author in AUTHORS if author.name == info.context.viewer)

    @strawberry.field
    def fails(self, info: Info, message: str = "no") -> str | None:
        info.context.calls.append(f"fails {message}")
        raise ValueError(message)

    @strawberry.field
    async def failslater(self, steps: int = 1) -> int | None:
        return await later(ValueError(f"after {steps}"), steps)  # type: ignore[no-any-return]

    @strawberry.field
    async def must_not_fail(self, steps: int = 1) -> int:
        return await later(ValueError(f"strictly after {steps}"), steps)  # type: ignore[no-any-return]

    @strawberry.field
    async def number(self, steps: int = 1) -> int:
        return await later(steps, steps)  # type: ignore[no-any-return]

    @strawberry.field(permission_classes=[Denied])
    def secret(self) -> str | None:
        return "s"

    @strawberry.field
    def lookup(self, id: str = "x") -> LendResult:
        if id == "banned":
            raise Banned
        raise Missing(id)

    @strawberry.field
    def matrix(self) -> list[list[int | None]]:
        return [[1, 2], [], [3, None, "x"]]  # type: ignore[list-item]

    @strawberry.field
    def page(self) -> Page[Book]:
        return Page(total=2, members=BOOKS[:2])

    @strawberry.field
    def films(self) -> Page[Film]:
        return Page(total=1, members=(FILM,))  # type: ignore[arg-type]

    @strawberry.field
    def pages(self) -> list[Annotated[Page[Book] | Page[Film], strawberry.union("Pages")]]:
        return [Page(total=1, members=[FILM]), Page(total=2, members=BOOKS[:2])]

    @strawberry.field
    def disguised(self) -> list[Work | None]:
        return disguised()

    @strawberry.field
    def disguised_items(self) -> list[Item | None]:
        return disguised()

    @strawberry.field
    def cast_works(self) -> list[Work | None]:
        return [FILM, strawberry.cast(Film, copy(BOOKS[2])), BOOKS[0]]

    @strawberry.field
    def cast_items(self) -> list[Item | None]:
        return [FILM, strawberry.cast(Film, copy(BOOKS[2])), BOOKS[0]]

    @strawberry.field
    def cast_people(self) -> list[Person | None]:
        disguise = strawberry.cast(Author, Reader(name="r", card=2))
        return [AUTHORS[0], Reader(name="r", card=1), disguise]

    @strawberry.field
    def promised_books(self, broken: bool = False) -> list[Book] | None:
        second = None if broken else BOOKS[1]
        return [later(BOOKS[0]), second, later(BOOKS[2], 3), BOOKS[3]]  # type: ignore[list-item]

    @strawberry.field
    def cast_book(self) -> Book | None:
        return strawberry.cast(Film, copy(BOOKS[2]))

    @strawberry.field
    def scribble(self, blob: JSON, mark: str = "x") -> JSON:
        blob["marks"] = [*blob.get("marks", []), mark]  # type: ignore[index, attr-defined]
        return blob

    @strawberry.field
    async def perhaps(self, number: strawberry.Maybe[int], text: strawberry.Maybe[str | None]) -> str:
        return repr((number, text))

    @strawberry.field
    def lookalikes(self) -> list[Author]:
        return [AUTHORS[0], Row()]  # type: ignore[list-item]

    constant: int = 7
