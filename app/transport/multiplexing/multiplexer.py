"""Shared executions: one for all who subscribe to the same thing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

from graphql import GraphQLError

from app.execution import Engine, Operation, RequestError, Response
from app.transport.multiplexing.group import SubscriberGroup
from app.transport.multiplexing.payload import Payload
from app.transport.multiplexing.write_scheduler import WriteScheduler


class Subscriber(Protocol):
    """One subscriber of a shared execution. Its methods are called from the event loop and must not block.

    It gets a snapshot first, then newer states in order, then at most one of `fail` and `complete`, and after that or
    after `SubscriberGroup.leave` nothing more. States in between may be left out; the newest never is.
    """

    def next(self, payload: Payload) -> None:
        """Take the next state."""

    def fail(self, body: bytes) -> None:
        """The execution failed. `body` is an encoded response that has `errors` and nothing else."""

    def complete(self) -> None:
        """The source has ended."""


class SubscriptionMultiplexer:
    """Joins equal subscriptions into groups, each with one execution and one encoding per event.

    Only for operations that are `shared`: they are executed with the context `public` returns, which has no viewer,
    and so nobody can get to see what belongs to somebody else.
    """

    def __init__(self, engine: Engine, public: Callable[[], object], *, snapshot_interval: float = 0.5) -> None:
        """`snapshot_interval`: the least time in seconds between two executions of a group. Needs a running loop."""
        self.engine = engine
        self.public = public
        self.loop = asyncio.get_running_loop()
        self.snapshot_interval = snapshot_interval
        self.write_scheduler = WriteScheduler(self.loop)
        self.members = 0
        """Subscribers in all groups."""
        self.executions = 0
        """Executions started so far: one per group, and one for each herd of late joiners."""
        self.superseded = 0
        """States a member did not get because a newer one came before it could be written."""
        self._groups: dict[Hashable, SubscriberGroup] = {}

    @property
    def groups(self) -> int:
        """Distinct subscriptions being executed."""
        return len(self._groups)

    def join(
        self, operation: Operation, variables: Mapping[str, Any] | None, subscriber: Subscriber
    ) -> SubscriberGroup:
        """Make `subscriber` one of the subscribers of `operation`; it may be served before this returns.

        Raises Refusal when the variables do not fit. `SubscriberGroup.leave` ends the membership; the last one to leave
        ends the execution.
        """
        assert operation.shared
        key = operation.key(variables)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = SubscriberGroup(self, key, operation, variables)
        group.join(subscriber)
        return group

    def dissolve(self, group: SubscriberGroup) -> None:
        """Take no more members into `group`: the next one to ask starts a new one."""
        if self._groups.get(group.key) is group:
            del self._groups[group.key]

    def failure(self, error: Exception) -> bytes:
        """The encoded response to a subscription that ended with `error`."""
        if isinstance(error, RequestError):
            return self.engine.encode(Response.of(error))
        located = GraphQLError(str(error), original_error=error)
        return self.engine.encode(Response(None, [located], has_data=False))
