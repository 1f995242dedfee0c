"""Object types, interfaces, unions, inputs and errors, and the books themselves."""

from __future__ import annotations

import asyncio
import enum
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import strawberry
from strawberry.scalars import JSON

from app.schema.scalars import Score


@dataclass
class Context:
    """What the resolvers of one execution share; `calls` proves who ran and how often."""

    viewer: str = "ada"
    calls: list[str] = field(default_factory=list)
    opened: int = 0
    closed: int = 0


Info = strawberry.Info[Context, Any]


@strawberry.enum
class Genre(enum.Enum):
    NOVEL = "novel"
    ESSAY = "essay"


@strawberry.interface
class Work:
    title: str
    year: int | None

    @strawberry.field
    def label(self, prefix: str = "#") -> str:
        return f"{prefix}{self.title}"


@strawberry.interface
class Node:
    id: strawberry.ID


@strawberry.type
class Author(Node):
    name: str
    born: datetime
    nickname: str | None = None

    @strawberry.field(metadata={"viewer": True})
    def followed(self, info: Info) -> bool:
        return self.name.startswith(info.context.viewer[0])

    @strawberry.field
    async def books(self, info: Info, first: int = 2, genre: Genre | None = None) -> list[Book]:
        info.context.calls.append(f"books {self.id} {first} {genre}")
        await asyncio.sleep(0)
        return [book for book in BOOKS if genre is None or book.genre is genre][: min(first, 2)]


@strawberry.type
class Book(Work):
    isbn: strawberry.ID
    genre: Genre
    price: float
    stock: int
    sold: Score
    lent: bool
    tags: list[str]
    author: Author
    sequel: Book | None = None
    ratings: list[int | None] | None = None
    notes: JSON | None = None

    @strawberry.field
    def shelf(self, row: int, info: Info, upper: bool = False) -> str:
        name = f"{self.title}/{row}/{info.path.as_list()}/{info.field_name}"
        return name.upper() if upper else name

    @strawberry.field
    def blurb(self, length: int = 5) -> str | None:
        if length > 100:
            raise ValueError("That long?")
        return self.title[:length] if length else None


@strawberry.type
class Film(Work):
    minutes: int

    @strawberry.field
    async def director(self) -> Author:
        await asyncio.sleep(0)
        return AUTHORS[0]


@strawberry.interface
class Problem:
    message: str


@strawberry.type
class NotFound(Problem):
    id: strawberry.ID


@strawberry.type
class Forbidden(Problem):
    retry_after: int | None


T = TypeVar("T")


@strawberry.type
class Page(Generic[T]):
    total: int
    members: list[T]


@strawberry.type
class Branch(Node):
    city: str

    @strawberry.field
    async def newest(self, first: int = 1) -> list[Book]:
        await asyncio.sleep(0)
        return BOOKS[:first]


@strawberry.type
class Reader:
    name: str
    card: int


Person = Annotated[Author | Reader, strawberry.union("Person")]
Item = Annotated[Book | Film, strawberry.union("Item")]
LendResult = Annotated[Book | NotFound | Forbidden, strawberry.union("LendResult")]


class Missing(Exception):
    def __init__(self, id: str) -> None:
        super().__init__(f"no {id}")
        self.id = id


class Banned(Exception):
    pass


class MissingHandler(strawberry.ExceptionHandler[Missing, NotFound]):
    def handle(self, exception: Missing, *, field: Any, info: Any) -> NotFound | None:
        if exception.id == "declined":
            return None
        return NotFound(id=strawberry.ID(exception.id), message=f"{info.path.as_list()} {exception}")


class BannedHandler(strawberry.ExceptionHandler[Banned, Forbidden]):
    async def handle(self, exception: Banned, *, field: Any, info: Any) -> Forbidden:
        await asyncio.sleep(0)
        return Forbidden(message="banned", retry_after=None)


@strawberry.input
class Window:
    first: int = 3
    after: strawberry.ID | None = None
    sold: Score | None = None
    genres: list[Genre] = strawberry.field(default_factory=lambda: [Genre.NOVEL])


@strawberry.input(one_of=True)
class Amount:
    copies: int | None = strawberry.UNSET
    share: float | None = strawberry.UNSET


@strawberry.input
class Order:
    isbn: strawberry.ID
    amount: Amount


@strawberry.input(one_of=True)
class BookBy:
    isbn: strawberry.ID | None = strawberry.UNSET
    title: str | None = strawberry.UNSET
    window: Window | None = strawberry.UNSET


@strawberry.input
class LendInput:
    isbn: strawberry.ID
    until: datetime | None = strawberry.UNSET


class Denied(strawberry.BasePermission):
    message = "not for you"

    def has_permission(self, source: Any, info: Any, **_: Any) -> bool:
        return bool(info.context.viewer == "root")


AUTHORS = [
    Author(id=strawberry.ID("1"), name="ada", born=datetime(1815, 12, 10, tzinfo=UTC), nickname="countess"),
    Author(id=strawberry.ID("2"), name="bob", born=datetime(1950, 1, 2, 3, 4, 5, 6, tzinfo=UTC)),
]


def book(number: int, **more: Any) -> Book:
    values: dict[str, Any] = {
        "title": f"Book {number} “ü”",
        "year": 1990 + number if number % 2 else None,
        "isbn": strawberry.ID(str(1000 + number)),
        "genre": Genre.ESSAY if number % 2 else Genre.NOVEL,
        "price": number + 0.5,
        "stock": number,
        "sold": 2**53 - 1 - number,
        "lent": number % 2 == 0,
        "tags": ["a", "b"][: number % 3],
        "author": AUTHORS[number % 2],
        "ratings": [5, None, number] if number % 2 else None,
        "notes": {"n": [number, {"deep": None}]} if number % 2 else None,
    }
    return Book(**{**values, **more})


BOOKS = [book(number) for number in range(10)]
BOOKS[0].sequel = BOOKS[1]
BOOKS[1].sequel = BOOKS[2]
NODES: dict[str, Node] = {
    "1": AUTHORS[0],
    "2": AUTHORS[1],
    "b": Branch(id=strawberry.ID("b"), city="Paris"),
}
FILM = Film(title="Metropolis", year=1927, minutes=153)
