"""A small schema with every feature the engine must get right: a library of books and films."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, AsyncIterator
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import strawberry
from strawberry.scalars import JSON


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


@strawberry.type
class Author:
    id: strawberry.ID
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


AUTHORS = [
    Author(id=strawberry.ID("1"), name="ada", born=datetime(1815, 12, 10, tzinfo=UTC), nickname="countess"),
    Author(id=strawberry.ID("2"), name="bob", born=datetime(1950, 1, 2, 3, 4, 5, 6, tzinfo=UTC)),
]


def _book(number: int, **more: Any) -> Book:
    values: dict[str, Any] = {
        "title": f"Book {number} “ü”",
        "year": 1990 + number if number % 2 else None,
        "isbn": strawberry.ID(str(1000 + number)),
        "genre": Genre.ESSAY if number % 2 else Genre.NOVEL,
        "price": number + 0.5,
        "stock": number,
        "lent": number % 2 == 0,
        "tags": ["a", "b"][: number % 3],
        "author": AUTHORS[number % 2],
        "ratings": [5, None, number] if number % 2 else None,
        "notes": {"n": [number, {"deep": None}]} if number % 2 else None,
    }
    return Book(**{**values, **more})


BOOKS = [_book(number) for number in range(10)]
BOOKS[0].sequel = BOOKS[1]
BOOKS[1].sequel = BOOKS[2]
FILM = Film(title="Metropolis", year=1927, minutes=153)

# Values that do not fit their types, each in its own way.
BROKEN = {
    "fine": _book(1),
    "null title": _book(1, title=None),
    "wrong int": _book(1, stock="many"),
    "big int": _book(1, stock=2**31),
    "float int": _book(1, stock=3.0),
    "bool int": _book(1, stock=True),
    "int float": _book(1, price=3),
    "nan": _book(1, price=float("nan")),
    "int id": _book(1, isbn=12),
    "int string": _book(1, title=12),
    "enum": _book(1, genre="novel?"),
    "raw enum": _book(1, genre="novel"),
    "tags none": _book(1, tags=["a", None, "b"]),
    "tags text": _book(1, tags="abc"),
    "tags number": _book(1, tags=3),
    "tags tuple": _book(1, tags=("x", "y")),
    "author none": _book(1, author=None),
    "author other": _book(1, author=FILM),
    "deep": _book(1, sequel=_book(2, sequel=_book(3, author=_book(4)))),
    "ratings": _book(1, ratings=[1, "two", 2**40, None]),
    "exception": _book(1, title=ValueError("kept")),
    "nested exception": _book(1, sequel=KeyError("gone")),
    "text dates": _book(1, author=Author(id=strawberry.ID("3"), name="c", born="x")),  # type: ignore[arg-type]
}


@strawberry.input
class Window:
    first: int = 3
    after: strawberry.ID | None = None
    genres: list[Genre] = strawberry.field(default_factory=lambda: [Genre.NOVEL])


@strawberry.input
class LendInput:
    isbn: strawberry.ID
    until: datetime | None = strawberry.UNSET


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


def _disguised() -> list[Any]:
    pocketbook = copy(BOOKS[1])
    pocketbook.__class__ = Pocketbook
    cast = copy(BOOKS[2])
    return [pocketbook, strawberry.cast(Film, Row()), strawberry.cast(Film, cast), Row(), FILM]


class Denied(strawberry.BasePermission):
    message = "not for you"

    def has_permission(self, source: Any, info: Any, **_: Any) -> bool:
        return bool(info.context.viewer == "root")


class Lazy:
    """An iterable that can be read once."""

    def __init__(self, *members: Any) -> None:
        self._members = iter(members)

    def __iter__(self) -> Any:
        return self._members


async def _later(value: Any, steps: int = 1) -> Any:
    for _ in range(min(steps, 9)):
        await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


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
    def window(self, window: Window, info: Info) -> list[str]:
        found = [f"{book.isbn} {window.after}" for book in BOOKS if book.genre in window.genres]
        window.genres.clear()  # a resolver may do as it likes with its own input
        return found[: window.first]

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
    ) -> str:
        return repr((text, number, ratio, at, genre, words, maybe, blob))

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
        return [1, _later(2), _later(ValueError("three")), 4, _later(5, 3)]  # type: ignore[list-item]

    @strawberry.field
    def strict_promises(self) -> list[int] | None:
        return [_later(1, 3), 2, "three", _later(4), 5]  # type: ignore[list-item]

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
        return [await _later(FILM), BOOKS[3], AUTHORS[1]]  # type: ignore[list-item]

    @strawberry.field(metadata={"viewer": True})
    async def me(self, info: Info) -> Author:
        return next(author for author in AUTHORS if author.name == info.context.viewer)

    @strawberry.field
    def fails(self, info: Info, message: str = "no") -> str | None:
        info.context.calls.append(f"fails {message}")
        raise ValueError(message)

    @strawberry.field
    async def fails_later(self, steps: int = 1) -> int | None:
        return await _later(ValueError(f"after {steps}"), steps)  # type: ignore[no-any-return]

    @strawberry.field
    async def must_not_fail(self, steps: int = 1) -> int:
        return await _later(ValueError(f"strictly after {steps}"), steps)  # type: ignore[no-any-return]

    @strawberry.field
    async def number(self, steps: int = 1) -> int:
        return await _later(steps, steps)  # type: ignore[no-any-return]

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
        return _disguised()

    @strawberry.field
    def disguised_items(self) -> list[Item | None]:
        return _disguised()

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
        return [_later(BOOKS[0]), second, _later(BOOKS[2], 3), BOOKS[3]]  # type: ignore[list-item]

    @strawberry.field
    def cast_book(self) -> Book | None:
        return strawberry.cast(Film, copy(BOOKS[2]))

    @strawberry.field
    def scribble(self, blob: JSON) -> JSON:
        blob["marks"] = [*blob.get("marks", []), "x"]  # type: ignore[index, attr-defined]
        return blob

    @strawberry.field
    async def perhaps(self, number: strawberry.Maybe[int], text: strawberry.Maybe[str | None]) -> str:
        return repr((number, text))

    @strawberry.field
    def lookalikes(self) -> list[Author]:
        return [AUTHORS[0], Row()]  # type: ignore[list-item]

    constant: int = 7


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
        await _later(None, steps)
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


schema = strawberry.Schema(
    Query,
    Mutation,
    Subscription,
    types=[Book, Film, NotFound, Forbidden],
    exception_handlers=[MissingHandler(), BannedHandler()],
)
