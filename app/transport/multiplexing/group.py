"""One shared execution and its subscribers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from itertools import islice
from operator import methodcaller

from app.execution import Response
from app.pubsub.feed.view_budget import NO_OWNER, Owner, ViewOwners
from app.telemetry.requests import leave_request
from app.transport.multiplexing.payload import Payload
from app.transport.multiplexing.subscriber import MultiplexingCounters, Subscriber, changed_at_of
from app.transport.multiplexing.write_scheduler import WriteScheduler

Delivery = Callable[[Subscriber], None]
"""A call of one method of a subscriber."""

MAX_ADMITTED_PER_TURN = 500
MAX_RACES = 3
"""How often a catch-up snapshot may be thrown away before one is delivered with the state that overtook it."""


class SubscriberGroup:
    """The subscribers of one operation with one set of variables.

    Guarantees to every member: the first state it gets is the first event of an execution, hence a snapshot; no state
    published after that snapshot is missing unless a newer one took its place; an older state never follows a newer.

    A subscriber that joins while nothing was published since the last snapshot gets that snapshot. The last event of
    the group's own execution is an update and would not do, so all others wait for a *catch-up snapshot*: a short
    execution of the same operation whose first event serves all subscribers that wait by then. These executions are at
    least `snapshot_interval` apart, so that any number of simultaneous joiners costs two executions a second.
    """

    def __init__(
        self,
        subscribe: Callable[[], Awaitable[AsyncGenerator[Response, None]]],
        owners: ViewOwners,
        encode: Callable[[Response], bytes],
        encode_failure: Callable[[Exception], bytes],
        write_scheduler: WriteScheduler,
        counters: MultiplexingCounters,
        *,
        on_close: Callable[[SubscriberGroup], None],
        snapshot_interval: float,
    ) -> None:
        """Start the execution. Needs a first `join` in the same turn of the event loop.

        Args:
            subscribe: Starts an execution of the operation.
            owners: The owners of these executions: kept equal to those of the subscribers.
            encode: Encodes a response.
            encode_failure: Encodes the exception of an execution as a response.
            write_scheduler: Calls `write_up_to` while states are to be written.
            counters: Counts members and superseded states.
            on_close: Called when the group takes no more subscribers; it may be called twice.
            snapshot_interval: The minimum of seconds between two executions.
        """
        self._subscribe = subscribe
        self._owners = owners
        self._encode = encode
        self._encode_failure = encode_failure
        self._write_scheduler = write_scheduler
        self._counters = counters
        self._on_close = on_close
        self._snapshot_interval = snapshot_interval
        self._loop = asyncio.get_running_loop()
        self._members: dict[Subscriber, Owner] = {}
        self._waiting: dict[Subscriber, Owner] = {}
        self._published = 0
        self._snapshot: Payload | None = None
        """The first event of an execution, while nothing newer was published: what a new subscriber gets."""
        self._latest: Payload | None = None
        self._to_serve: list[Subscriber] = []
        self._position = 0
        """The index in `_to_serve` up to which the present pass has got."""
        self._behind = 0
        """How many at the beginning of `_to_serve` have not got the state before the latest either."""
        self._behind_since: float | None = None
        """When that state happened."""
        self._end_delivery: Delivery | None = None
        self._is_ending = False
        self._next_snapshot_at = self._loop.time() + snapshot_interval
        self._snapshot_task: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = self._loop.create_task(self._read())

    def join(self, subscriber: Subscriber, owner: Owner = NO_OWNER) -> None:
        """Admit `subscriber` of `owner`, now or with the next snapshot."""
        self._counters.members += 1
        self._owners.add(owner)
        if self._snapshot is not None:
            self._members[subscriber] = owner
            self._deliver(subscriber, _state_delivery(self._snapshot))
            return
        self._waiting[subscriber] = owner
        if self._latest is not None:
            self._start_snapshot_task()

    def leave(self, subscriber: Subscriber) -> None:
        """End the membership, if it has not ended by itself. Nothing is delivered to `subscriber` any more."""
        if subscriber in self._members:
            owner = self._members.pop(subscriber)
        elif subscriber in self._waiting:
            owner = self._waiting.pop(subscriber)
        else:
            return
        self._counters.members -= 1
        self._owners.remove(owner)
        if not self._members and not self._waiting:
            self._close()

    def write_up_to(self, budget: int) -> int:
        """Deliver the latest state, or the end, to at most `budget` members; return how many were passed."""
        batch = self._to_serve[self._position : self._position + budget]
        if not self._is_ending:
            self._observe_lag(self._position, len(batch))
        self._position += len(batch)
        delivery = self._end_delivery if self._is_ending or self._latest is None else _state_delivery(self._latest)
        for subscriber in batch:
            if subscriber in self._members and delivery is not None:
                if self._is_ending:
                    self.leave(subscriber)
                self._deliver(subscriber, delivery)
        if self._position == len(self._to_serve):
            self._to_serve, self._position = [], 0
            if self._end_delivery is not None and not self._is_ending:
                self._end_all()
        return len(batch)

    def _close(self) -> None:
        self._on_close(self)
        for task in (self._reader, self._snapshot_task):
            if task is not None:
                task.cancel()
        # A cancelled task keeps its frame, and with it this group: a reference cycle for the garbage collector.
        self._reader = self._snapshot_task = None

    async def _read(self) -> None:
        leave_request()
        failure: bytes | None = None
        try:
            async with aclosing(await self._subscribe()) as stream:
                async for response in stream:
                    body = self._encode(response)
                    if not response.has_data:
                        failure = body
                        break
                    self._publish(body, changed_at_of(response))
        except Exception as error:
            failure = self._encode_failure(error)
        self._end(failure)

    def _publish(self, body: bytes, changed_at: float | None) -> None:
        previous, self._latest = self._latest, Payload(body, opening=self._latest is None, changed_at=changed_at)
        self._published += 1
        if previous is None:
            self._snapshot = self._latest
            self._admit(self._snapshot)
            if self._waiting:
                self._start_snapshot_task()
            return
        self._snapshot = None
        # Members that did not get the state before come first, so that none is passed over twice in a row.
        unserved = dict.fromkeys(self._to_serve[self._position :])
        self._counters.superseded += len(unserved)
        self._behind, self._behind_since = len(unserved), previous.changed_at
        self._to_serve = [*unserved, *(subscriber for subscriber in self._members if subscriber not in unserved)]
        self._position = 0
        self._write_scheduler.schedule(self)

    def _observe_lag(self, first: int, count: int) -> None:
        """Observe the lag of `count` members from the index `first` on, who get the latest state now."""
        if self._latest is not None:
            behind = min(max(self._behind - first, 0), count)
            self._counters.observe_lag(self._behind_since, behind)
            self._counters.observe_lag(self._latest.changed_at, count - behind)

    def _deliver(self, subscriber: Subscriber, delivery: Delivery) -> None:
        try:
            delivery(subscriber)
        except Exception as error:
            # An exception in one subscriber must not stop the delivery to the others.
            self._loop.call_exception_handler({"message": "A subscriber failed", "exception": error})

    def _end(self, failure: bytes | None) -> None:
        self._on_close(self)
        if self._snapshot_task is not None:
            self._snapshot_task.cancel()
        self._end_delivery = _end_delivery(failure)
        self._members.update(self._waiting)
        self._waiting.clear()
        if not self._to_serve:
            self._end_all()

    def _end_all(self) -> None:
        # Only after the pass before it: the last state comes before the end.
        self._is_ending = True
        self._to_serve = list(self._members)
        self._write_scheduler.schedule(self)

    def _start_snapshot_task(self) -> None:
        if self._snapshot_task is None:
            self._snapshot_task = self._loop.create_task(self._send_snapshots())

    async def _send_snapshots(self) -> None:
        races = 0
        try:
            while self._waiting:
                if self._snapshot is not None:
                    self._admit(self._snapshot)
                    await asyncio.sleep(0)
                elif await self._take_snapshot(tolerant=races >= MAX_RACES):
                    races += 1
        except Exception as error:
            self._fail_waiting(self._encode_failure(error))
        finally:
            self._snapshot_task = None

    async def _take_snapshot(self, *, tolerant: bool) -> bool:
        """Execute anew up to the first event. Return True if that raced with an event of the group's own execution.

        Then the order of the two is unknown and the snapshot is thrown away. A `tolerant` call keeps it and lets the
        other event follow: nothing is missed, at worst one state is older than the one before it, as its version says.
        """
        await asyncio.sleep(self._next_snapshot_at - self._loop.time())
        self._next_snapshot_at = self._loop.time() + self._snapshot_interval
        published = self._published
        response = await self._first_response()
        if response is None or not response.has_data:
            self._fail_waiting(None if response is None else self._encode(response))
            return False
        snapshot = Payload(self._encode(response), opening=True)
        if published == self._published:
            self._snapshot = snapshot
            return False
        if tolerant and self._latest is not None:
            self._admit(snapshot, self._latest, max_admitted=len(self._waiting))
        return True

    async def _first_response(self) -> Response | None:
        async with aclosing(await self._subscribe()) as stream:
            async for response in stream:
                return response
        return None

    def _admit(self, *payloads: Payload, max_admitted: int = MAX_ADMITTED_PER_TURN) -> None:
        for subscriber in list(islice(self._waiting, max_admitted)):
            self._members[subscriber] = self._waiting.pop(subscriber)
            for payload in payloads:
                self._deliver(subscriber, _state_delivery(payload))

    def _fail_waiting(self, failure: bytes | None) -> None:
        end = _end_delivery(failure)
        for subscriber in list(self._waiting):
            self.leave(subscriber)
            self._deliver(subscriber, end)


def _state_delivery(payload: Payload) -> Delivery:
    return methodcaller("next", payload)


def _end_delivery(failure: bytes | None) -> Delivery:
    """Return the delivery of the end: a failure with this body, or completion."""
    if failure is None:
        return methodcaller("complete")
    return methodcaller("fail", failure)
