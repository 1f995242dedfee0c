"""A small GraphQL schema with a counter to watch, for tests of execution and transport that need no store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import GraphQLError

from app.domain.errors import DomainError, RateLimited, Unauthenticated
from app.domain.users import Caller
from app.pubsub.feed.view_budget import Owner


class Counter:
    """A number that subscriptions watch. A slow watcher skips numbers, as with the hub."""

    def __init__(self, value: int = 0) -> None:
        self.value = value
        self.text = ""
        self.subscriptions = 0
        """How many subscriptions have been started."""
        self.last_sent = 0
        """The last number that any watcher received."""
        self.watchers = 0
        self.failure: Exception | None = None
        self.finished = False
        self.released = asyncio.Event()
        """The event that slow resolvers wait for, after they have set `entered`."""
        self.entered = asyncio.Event()
        self.cancelled = asyncio.Event()
        self._changed = asyncio.Condition()

    async def increment(self, *, text: str = "") -> None:
        """Add one; `text` is sent with this number and the following ones."""
        async with self._changed:
            self.value += 1
            self.text = text or self.text
            self._changed.notify_all()

    async def finish(self, failure: Exception | None = None) -> None:
        """End all subscriptions, with `failure` if it is given."""
        async with self._changed:
            self.finished, self.failure = True, failure
            self._changed.notify_all()

    async def wait_for_release(self) -> None:
        """Wait for `released`, and record a cancellation."""
        self.entered.set()
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def wait_for_watchers(self, count: int) -> None:
        """Wait until there are exactly `count` watchers."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.watchers == count)

    async def watch(self) -> AsyncGenerator[tuple[str, int], None]:
        """Yield `SNAPSHOT` with the current number, and `UPDATE` with each later one."""
        self.watchers += 1
        self.subscriptions += 1
        kind: str = "SNAPSHOT"
        sent: int | None = None
        try:
            async with self._changed:
                self._changed.notify_all()
            while True:
                async with self._changed:
                    while not self.finished and self.value == sent:
                        await self._changed.wait()
                if self.failure:
                    raise self.failure
                if self.finished:
                    return
                sent = self.last_sent = self.value
                yield kind, sent
                kind = "UPDATE"
        finally:
            self.watchers -= 1
            async with self._changed:
                self._changed.notify_all()


@dataclass
class SampleContext:
    """The context of one operation. `viewer` is the name in the credentials of the request, which is not verified."""

    counter: Counter
    viewer: str | None = None
    caller: Caller | None = None
    marks: int = 0
    address: str = ""

    @property
    def owner(self) -> Owner:
        """Whom views are charged to."""
        return Owner(self.address)


Info = strawberry.Info[SampleContext, None]


@strawberry.type
class Leaf:
    """The end of a nested selection."""

    name: str


@strawberry.type
class Node:
    """A type that contains itself, for nested selections and lists."""

    id: strawberry.ID

    @strawberry.field
    def child(self) -> Node:
        """Return another node."""
        return Node(id=strawberry.ID(self.id + "+"))

    @strawberry.field
    def children(self, limit: int = 10) -> list[Node]:
        """Return `limit` nodes."""
        return [Node(id=strawberry.ID(f"{self.id}.{n}")) for n in range(limit)]

    @strawberry.field
    def leaves(self) -> list[Leaf]:
        """Return one leaf."""
        return [Leaf(name="leaf")]


@strawberry.type
class Tick:
    """A number of the counter, which all viewers see alike."""

    kind: str
    version: int
    board: str
    text: str


@strawberry.type
class Secret:
    """A number of the counter with the name of the viewer."""

    owner: str
    version: int
    text: str


@strawberry.type
class Query:
    """Fields that answer, fail, wait, or depend on the viewer."""

    @strawberry.field
    def hello(self, name: str = "world") -> str:
        """Return a greeting."""
        return f"hello {name}"

    @strawberry.field
    def node(self, limit: int = 10) -> Node:
        """Return the first node."""
        return Node(id=strawberry.ID("1"))

    @strawberry.field
    def counter(self, info: Info) -> int:
        """Return the number."""
        return info.context.counter.value

    @strawberry.field
    async def version(self, info: Info) -> int:
        """Return the number, asynchronously."""
        return info.context.counter.value

    @strawberry.field(metadata={"viewer": True})
    def viewer(self, info: Info) -> str:
        """Return the name of the viewer, who must have credentials."""
        if info.context.viewer is None:
            raise Unauthenticated
        return info.context.viewer

    @strawberry.field(metadata={"viewer": True})
    async def me(self, info: Info) -> str | None:
        """Return the name of the caller, if there is one."""
        return info.context.caller.username if info.context.caller else None

    @strawberry.field
    async def mark(self, info: Info) -> int:
        """Return how often this context was used."""
        info.context.marks += 1
        return info.context.marks

    @strawberry.field
    def limited(self) -> str | None:
        """Raise a domain error."""
        raise RateLimited(7)

    @strawberry.field
    def broken(self) -> str | None:
        """Raise an unexpected error."""
        raise RuntimeError("secret")

    @strawberry.field
    async def slow(self, info: Info) -> str:
        """Return when the counter is released."""
        await info.context.counter.wait_for_release()
        return "done"


@strawberry.type
class Mutation:
    """Mutations of the counter."""

    @strawberry.mutation
    async def move(self, info: Info) -> int:
        """Add one to the number."""
        await info.context.counter.increment()
        return info.context.counter.value

    @strawberry.mutation
    async def slowly(self, info: Info) -> int:
        """Add one to the number when the counter is released."""
        await info.context.counter.wait_for_release()
        await info.context.counter.increment()
        return info.context.counter.value


@strawberry.type
class Subscription:
    """Subscriptions that end, fail, never end, or depend on the viewer."""

    @strawberry.subscription
    async def counter(self, info: Info) -> AsyncGenerator[int, None]:
        """Yield the number and every change of it."""
        async for _, value in info.context.counter.watch():
            yield value

    @strawberry.subscription
    async def ticks(self, info: Info, board: str = "global", limit: int = 10) -> AsyncGenerator[Tick, None]:
        """Yield the number and every change of it as objects."""
        async for kind, version in info.context.counter.watch():
            yield Tick(kind=kind, version=version, board=board, text=info.context.counter.text)

    @strawberry.subscription(metadata={"viewer": True})
    async def secrets(self, info: Info) -> AsyncGenerator[Secret, None]:
        """Yield the number with the name of the caller."""
        async for _, version in info.context.counter.watch():
            owner = info.context.caller.username if info.context.caller else "nobody"
            yield Secret(owner=owner, version=version, text=info.context.counter.text)

    @strawberry.subscription(metadata={"viewer": True})
    async def whisper(self, info: Info) -> AsyncGenerator[str, None]:
        """Yield the number with the name of the viewer, as text."""
        async for _, value in info.context.counter.watch():
            yield f"{info.context.viewer}:{value}"

    @strawberry.subscription
    async def countdown(self, start: int = 2) -> AsyncGenerator[int, None]:
        """Yield a few numbers and end."""
        for value in range(start, 0, -1):
            yield value

    @strawberry.subscription
    async def flood(self) -> AsyncGenerator[str, None]:
        """Yield large values as fast as they are read."""
        while True:
            yield "x" * 50_000
            await asyncio.sleep(0)

    @strawberry.subscription
    async def refused(self) -> AsyncGenerator[int, None]:
        """Raise a domain error before the first value."""
        raise RateLimited(3)
        yield 1

    @strawberry.subscription
    async def failing(self) -> AsyncGenerator[int, None]:
        """Raise an unexpected error before the first value."""
        if False:
            yield 0
        raise ValueError("an internal detail")


SCHEMA = strawberry.Schema(Query, Mutation, Subscription)


def render_error(error: Exception) -> dict[str, Any]:
    """Return a domain error as clients see it, and any other error masked."""
    if isinstance(error, DomainError):
        return {"message": error.message, "extensions": {"code": error.code, **error.facts()}}
    return {"message": "Something went wrong.", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}


def format_error(error: GraphQLError) -> dict[str, Any]:
    """Return an error of an execution as clients see it."""
    formatted: dict[str, Any] = dict(error.formatted)
    return formatted if error.original_error is None else formatted | render_error(error.original_error)
