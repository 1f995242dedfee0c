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
    from app.transport.multiplexing.multiplexer import Subscriber, SubscriptionMultiplexer

Delivery = Callable[["Subscriber"], None]
"""Something to tell a member."""

MAX_ADMITTED_PER_TURN = 500
MAX_RACES = 3


class SubscriberGroup:
    """The subscribers of one operation with one set of variables.

    Guarantees to every member: the first state it gets is the first event of an execution, hence a snapshot; no state
    published after that snapshot is missing unless a newer one took its place; an older state never follows a newer.

    How a late joiner gets its snapshot: the last event of the group's own execution is an update and will not do. Who
    comes while nothing was published since the last snapshot gets that one. The others wait for a *greeting*: a short
    execution of the same operation whose first event serves everyone who waits by then. Greetings are at least
    `snapshot_interval` apart, so that a herd costs two executions a second, whatever its size.
    """

    def __init__(
        self, home: SubscriptionMultiplexer, key: Hashable, operation: Operation, variables: Mapping[str, Any] | None
    ) -> None:
        """Start executing. Needs a first `join` in the same turn of the event loop."""
        self.key = key
        self._home = home
        self._operation = operation
        self._variables = variables
        self._members: dict[Subscriber, None] = {}
        self._waiting: dict[Subscriber, None] = {}
        self._published = 0
        self._snapshot: Payload | None = None
        """What a joiner may be given: a first event than which nothing newer was published."""
        self._latest: Payload | None = None
        self._due: list[Subscriber] = []
        self._position = 0
        """Up to where `_due` has been served in the pass that is under way."""
        self._ending: Delivery | None = None
        self._dismissing = False
        self._next_greeting = home.loop.time() + home.snapshot_interval
        self._greeter: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = home.loop.create_task(self._read())

    def join(self, subscriber: Subscriber) -> None:
        """Admit `subscriber`, now or with the next snapshot."""
        self._home.members += 1
        if self._snapshot is not None:
            self._members[subscriber] = None
            self._tell(subscriber, _state(self._snapshot))
            return
        self._waiting[subscriber] = None
        if self._latest is not None:
            self._send_snapshots()

    def leave(self, subscriber: Subscriber) -> None:
        """End the membership, if it has not ended by itself. Nothing reaches `subscriber` any more."""
        if subscriber in self._members:
            del self._members[subscriber]
        elif subscriber in self._waiting:
            del self._waiting[subscriber]
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
                self._send_snapshots()
            return
        self._snapshot = None
        # Whom the state before has not reached yet comes first: nobody is passed over twice in a row.
        rest = dict.fromkeys(self._due[self._position :])
        self._home.superseded += len(rest)
        self._due = [*rest, *(subscriber for subscriber in self._members if subscriber not in rest)]
        self._position = 0
        self._home.write_scheduler.schedule(self)

    def write_up_to(self, budget: int) -> int:
        """Serve at most `budget` members with the latest state, or with the end; return how many were passed."""
        batch = self._due[self._position : self._position + budget]
        self._position += len(batch)
        delivery = self._ending if self._dismissing or self._latest is None else _state(self._latest)
        for subscriber in batch:
            if subscriber in self._members and delivery is not None:
                if self._dismissing:
                    self.leave(subscriber)
                self._tell(subscriber, delivery)
        if self._position == len(self._due):
            self._due, self._position = [], 0
            if self._ending is not None and not self._dismissing:
                self._complete_all()
        return len(batch)

    def _tell(self, subscriber: Subscriber, delivery: Delivery) -> None:
        try:
            delivery(subscriber)
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
            self._complete_all()

    def _complete_all(self) -> None:
        # Only after the pass before it: the last state comes before the end.
        self._dismissing = True
        self._due = list(self._members)
        self._home.write_scheduler.schedule(self)

    def _send_snapshots(self) -> None:
        if self._greeter is None:
            self._greeter = self._home.loop.create_task(self._send_snapshot_to_waiting())

    async def _send_snapshot_to_waiting(self) -> None:
        races = 0
        try:
            while self._waiting:
                if self._snapshot is not None:
                    self._admit(self._snapshot)
                    await asyncio.sleep(0)
                elif await self._take_snapshot(tolerant=races >= MAX_RACES):
                    races += 1
        except Exception as error:
            self._fail_waiting(self._home.failure(error))
        finally:
            self._greeter = None

    async def _take_snapshot(self, *, tolerant: bool) -> bool:
        """Execute anew up to the first event. Returns True when that raced with an event of the group's own execution.

        Then the order of the two is unknown and the snapshot is thrown away. A `tolerant` call keeps it and lets the
        other event follow: nothing is missed, at worst one state is older than the one before it, as its version says.
        """
        await asyncio.sleep(self._next_greeting - self._home.loop.time())
        self._next_greeting = self._home.loop.time() + self._home.snapshot_interval
        published = self._published
        response = await self._first_response()
        if response is None or not response.has_data:
            self._fail_waiting(None if response is None else self._home.engine.encode(response))
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

    def _admit(self, *payloads: Payload, at_most: int = MAX_ADMITTED_PER_TURN) -> None:
        for subscriber in list(islice(self._waiting, at_most)):
            del self._waiting[subscriber]
            self._members[subscriber] = None
            for payload in payloads:
                self._tell(subscriber, _state(payload))

    def _fail_waiting(self, failure: bytes | None) -> None:
        end = _ending(failure)
        for subscriber in list(self._waiting):
            self.leave(subscriber)
            self._tell(subscriber, end)


def _state(payload: Payload) -> Delivery:
    return methodcaller("next", payload)


def _ending(failure: bytes | None) -> Delivery:
    """How a member learns of the end: as a failure with this body, or as completion."""
    if failure is None:
        return methodcaller("complete")
    return methodcaller("fail", failure)
