"""Shared executions: one for all subscribers of the same operation with the same variables."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping
from functools import partial
from typing import Any

from graphql import GraphQLError

from app.execution import Engine, Operation, RequestError, Response
from app.pubsub.feed.view_budget import NO_OWNER, Owner, ViewOwners
from app.transport.multiplexing.group import SubscriberGroup
from app.transport.multiplexing.subscriber import MultiplexingCounters, Subscriber, changed_at_of
from app.transport.multiplexing.write_scheduler import WriteScheduler


class SubscriptionMultiplexer:
    """Joins equal subscriptions into groups, each with one execution and one encoding per event.

    Only for operations that are `shared`. They are executed with a context without a viewer, so that no subscriber can
    get data of another viewer.
    """

    def __init__(
        self,
        engine: Engine,
        make_context: Callable[[ViewOwners], object],
        *,
        snapshot_interval: float = 0.5,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Create a multiplexer. Needs a running loop.

        Args:
            engine: Executes the operations.
            make_context: Returns the context of a shared execution with these owners: one without a viewer.
            snapshot_interval: The minimum of seconds between two executions of a group.
            clock: Returns Unix time in seconds.
        """
        self.counters = MultiplexingCounters(clock=clock)
        self._engine = engine
        self._make_context = make_context
        self._snapshot_interval = snapshot_interval
        self._loop = asyncio.get_running_loop()
        self._write_scheduler = WriteScheduler(self._loop)
        self._groups: dict[Hashable, SubscriberGroup] = {}

    @property
    def groups(self) -> int:
        """Return how many distinct subscriptions are being executed."""
        return len(self._groups)

    def join(
        self, operation: Operation, variables: Mapping[str, Any] | None, subscriber: Subscriber, owner: Owner = NO_OWNER
    ) -> SubscriberGroup:
        """Add `subscriber` of `owner` to the group of `operation`; it may be served before this returns.

        `SubscriberGroup.leave` ends the membership; the last subscriber to leave ends the execution.

        Raises:
            RequestError: The variables do not fit.
        """
        assert operation.shared
        key = operation.key(variables)
        group = self._groups.get(key)
        if group is None:
            owners = ViewOwners()
            group = self._groups[key] = SubscriberGroup(
                partial(self._subscribe, operation, variables, owners),
                owners,
                self._engine.encode,
                self.encode_failure,
                self._write_scheduler,
                self.counters,
                on_close=partial(self._dissolve, key),
                snapshot_interval=self._snapshot_interval,
            )
        group.join(subscriber, owner)
        return group

    def observe_lag(self, response: Response) -> None:
        """Observe the lag of a subscription that is not shared, whose response has been written."""
        self.counters.observe_lag(changed_at_of(response))

    def encode_failure(self, error: Exception) -> bytes:
        """Return the encoded response to a subscription that ended with `error`."""
        if isinstance(error, RequestError):
            return self._engine.encode(Response.of(error))
        located = GraphQLError(str(error), original_error=error)
        return self._engine.encode(Response(None, [located], has_data=False))

    async def _subscribe(
        self, operation: Operation, variables: Mapping[str, Any] | None, owners: ViewOwners
    ) -> AsyncGenerator[Response, None]:
        self.counters.executions += 1
        return await self._engine.subscribe(operation, variables, self._make_context(owners))

    def _dissolve(self, key: Hashable, group: SubscriberGroup) -> None:
        """Take no more subscribers into `group`: the next one starts a new group."""
        if self._groups.get(key) is group:
            del self._groups[key]
