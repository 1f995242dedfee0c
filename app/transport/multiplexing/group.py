"""One shared execution and its subscribers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from contextlib import aclosing
from itertools import islice
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from app.execution import Operation, Response
from app.transport.multiplexing.payload import Payload

if TYPE_CHECKING:
    from app.transport.multiplexing.multiplexer import Member, SharedExecutions

Word = Callable[["Member"], None]
"""Something to tell a member."""

ADMITTED_PER_TURN = 500
RACES_TOLERATED = 3


class Group:
    """The subscribers of one operation with one set of variables.

    Guarantees to every member: the first state it gets is the first event of an execution, hence a snapshot; no state
    published after that snapshot is missing unless a newer one took its place; an older state never follows a newer.

    How a late joiner gets its snapshot: the last event of the group's own execution is an update and will not do. Who
    comes while nothing was published since the last snapshot gets that one. The others wait for a *greeting*: a short
    execution of the same operation whose first event serves everyone who waits by then. Greetings are at least
    `greeting_interval` apart, so that a herd costs two executions a second, whatever its size.
    """

    def __init__(
        self, home: SharedExecutions, key: Hashable, operation: Operation, variables: Mapping[str, Any] | None
    ) -> None:
        """Start executing. Needs a first `join` in the same turn of the event loop."""
        self.key = key
        self._home = home
        self._operation = operation
        self._variables = variables
        self._members: dict[Member, None] = {}
        self._waiting: dict[Member, None] = {}
        self._published = 0
        self._snapshot: Payload | None = None
        """What a joiner may be given: a first event than which nothing newer was published."""
        self._latest: Payload | None = None
        self._due: list[Member] = []
        self._position = 0
        """Up to where `_due` has been served in the pass that is under way."""
        self._ending: Word | None = None
        self._dismissing = False
        self._next_greeting = home.loop.time() + home.greeting_interval
        self._greeter: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = home.loop.create_task(self._read())

    def join(self, member: Member) -> None:
        """Admit `member`, now or with the next snapshot."""
        self._home.members += 1
        if self._snapshot is not None:
            self._members[member] = None
            self._tell(member, _state(self._snapshot))
            return
        self._waiting[member] = None
        if self._latest is not None:
            self._greet()

    def leave(self, member: Member) -> None:
        """End the membership, if it has not ended by itself. Nothing reaches `member` any more."""
        if member in self._members:
            del self._members[member]
        elif member in self._waiting:
            del self._waiting[member]
        else:
            return
        self._home.members -= 1
        if not self._members and not self._waiting:
            self._close()

    def _close(self) -> None:
        self._home.dissolve(self)
        for task in (self._reader, self._greeter):
            if task is not None:
                task.cancel()
        # A cancelled task keeps the frame it was in, and with it this group: a circle for the garbage collector.
        self._reader = self._greeter = None

    async def _read(self) -> None:
        failure: bytes | None = None
        try:
            self._home.executions += 1
            stream = await self._home.engine.subscribe(self._operation, self._variables, self._home.public())
            async with aclosing(stream):
                async for response in stream:
                    body = self._home.engine.encode(response)
                    if not response.has_data:
                        failure = body
                        break
                    self._publish(body)
        except Exception as error:
            failure = self._home.failure(error)
        self._end(failure)

    def _publish(self, body: bytes) -> None:
        first = self._latest is None
        self._published += 1
        self._latest = Payload(body, opening=first)
        if first:
            self._snapshot = self._latest
            self._admit(self._snapshot)
            if self._waiting:
                self._greet()
            return
        self._snapshot = None
        # Whom the state before has not reached yet comes first: nobody is passed over twice in a row.
        rest = dict.fromkeys(self._due[self._position :])
        self._home.superseded += len(rest)
        self._due = [*rest, *(member for member in self._members if member not in rest)]
        self._position = 0
        self._home.fan_out.schedule(self)

    def write_some(self, budget: int) -> int:
        """Serve at most `budget` members with the latest state, or with the end; return how many were passed."""
        batch = self._due[self._position : self._position + budget]
        self._position += len(batch)
        word = self._ending if self._dismissing or self._latest is None else _state(self._latest)
        for member in batch:
            if member in self._members and word is not None:
                if self._dismissing:
                    self.leave(member)
                self._tell(member, word)
        if self._position == len(self._due):
            self._due, self._position = [], 0
            if self._ending is not None and not self._dismissing:
                self._dismiss_all()
        return len(batch)

    def _tell(self, member: Member, word: Word) -> None:
        try:
            word(member)
        except Exception as error:
            # What breaks one member must not keep the news from the others.
            self._home.loop.call_exception_handler({"message": "A subscriber failed", "exception": error})

    def _end(self, failure: bytes | None) -> None:
        self._home.dissolve(self)
        if self._greeter is not None:
            self._greeter.cancel()
        self._ending = _ending(failure)
        self._members.update(self._waiting)
        self._waiting.clear()
        if not self._due:
            self._dismiss_all()

    def _dismiss_all(self) -> None:
        # Only after the pass before it: the last state comes before the end.
        self._dismissing = True
        self._due = list(self._members)
        self._home.fan_out.schedule(self)

    def _greet(self) -> None:
        if self._greeter is None:
            self._greeter = self._home.loop.create_task(self._greet_waiting())

    async def _greet_waiting(self) -> None:
        races = 0
        try:
            while self._waiting:
                if self._snapshot is not None:
                    self._admit(self._snapshot)
                    await asyncio.sleep(0)
                elif await self._take_snapshot(tolerant=races >= RACES_TOLERATED):
                    races += 1
        except Exception as error:
            self._dismiss_waiting(self._home.failure(error))
        finally:
            self._greeter = None

    async def _take_snapshot(self, *, tolerant: bool) -> bool:
        """Execute anew up to the first event. Returns True when that raced with an event of the group's own execution.

        Then the order of the two is unknown and the snapshot is thrown away. A `tolerant` call keeps it and lets the
        other event follow: nothing is missed, at worst one state is older than the one before it, as its version says.
        """
        await asyncio.sleep(self._next_greeting - self._home.loop.time())
        self._next_greeting = self._home.loop.time() + self._home.greeting_interval
        published = self._published
        response = await self._first_response()
        if response is None or not response.has_data:
            self._dismiss_waiting(None if response is None else self._home.engine.encode(response))
            return False
        snapshot = Payload(self._home.engine.encode(response), opening=True)
        if published == self._published:
            self._snapshot = snapshot
            return False
        if tolerant and self._latest is not None:
            self._admit(snapshot, self._latest, at_most=len(self._waiting))
        return True

    async def _first_response(self) -> Response | None:
        self._home.executions += 1
        stream = await self._home.engine.subscribe(self._operation, self._variables, self._home.public())
        async with aclosing(stream):
            async for response in stream:
                return response
        return None

    def _admit(self, *payloads: Payload, at_most: int = ADMITTED_PER_TURN) -> None:
        for member in list(islice(self._waiting, at_most)):
            del self._waiting[member]
            self._members[member] = None
            for payload in payloads:
                self._tell(member, _state(payload))

    def _dismiss_waiting(self, failure: bytes | None) -> None:
        end = _ending(failure)
        for member in list(self._waiting):
            self.leave(member)
            self._tell(member, end)


def _state(payload: Payload) -> Word:
    return methodcaller("next", payload)


def _ending(failure: bytes | None) -> Word:
    """How a member learns of the end: as a failure with this body, or as completion."""
    if failure is None:
        return methodcaller("complete")
    return methodcaller("fail", failure)
