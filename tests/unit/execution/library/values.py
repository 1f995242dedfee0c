"""Values that are not what their types say, or not in the usual way."""

from __future__ import annotations

import asyncio
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import strawberry

from tests.unit.execution.library.types import BOOKS, FILM, Author, Book, Film, book

# Values that do not fit their types, each in its own way.
BROKEN = {
    "fine": book(1),
    "null title": book(1, title=None),
    "wrong int": book(1, stock="many"),
    "big int": book(1, stock=2**31),
    "float int": book(1, stock=3.0),
    "big score": book(1, sold=2**53),
    "negative score": book(1, sold=1 - 2**53),
    "float score": book(1, sold=3.0),
    "bool score": book(1, sold=True),
    "text score": book(1, sold="3"),
    "no score": book(1, sold=None),
    "broken score": book(1, sold=3.5),
    "bool int": book(1, stock=True),
    "int float": book(1, price=3),
    "nan": book(1, price=float("nan")),
    "int id": book(1, isbn=12),
    "int string": book(1, title=12),
    "enum": book(1, genre="novel?"),
    "raw enum": book(1, genre="novel"),
    "tags none": book(1, tags=["a", None, "b"]),
    "tags text": book(1, tags="abc"),
    "tags number": book(1, tags=3),
    "tags tuple": book(1, tags=("x", "y")),
    "author none": book(1, author=None),
    "author other": book(1, author=FILM),
    "deep": book(1, sequel=book(2, sequel=book(3, author=book(4)))),
    "ratings": book(1, ratings=[1, "two", 2**40, None]),
    "exception": book(1, title=ValueError("kept")),
    "nested exception": book(1, sequel=KeyError("gone")),
    "text dates": book(1, author=Author(id=strawberry.ID("3"), name="c", born="x")),  # type: ignore[arg-type]
}


class Pocketbook(Book):
    """A subclass the schema does not know."""


@dataclass
class Row:
    """Not of the schema at all, but with the attributes of an author and a film."""

    id: str = "9"
    name: str = "row"
    born: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    nickname: str | None = None
    title: str = "Row"
    year: int | None = None
    minutes: int = 1


def disguised() -> list[Any]:
    pocketbook = copy(BOOKS[1])
    pocketbook.__class__ = Pocketbook
    cast = copy(BOOKS[2])
    return [pocketbook, strawberry.cast(Film, Row()), strawberry.cast(Film, cast), Row(), FILM]


class Lazy:
    """An iterable that can be read once."""

    def __init__(self, *members: Any) -> None:
        self._members = iter(members)

    def __iter__(self) -> Any:
        return self._members


async def later(value: Any, steps: int = 1) -> Any:
    for _ in range(min(steps, 9)):
        await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value
