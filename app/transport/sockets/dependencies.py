"""The objects that all sockets of a process share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.domain.users import Caller
from app.pubsub.feed.view_budget import Owner
from app.telemetry.tracing import Tracer
from app.transport.multiplexing.multiplexer import SubscriptionMultiplexer
from app.transport.operation_metrics import OperationMetrics
from app.transport.operations import Operations
from app.transport.sockets.connections import Connections

Scope = Mapping[str, Any]


class SocketContext(Protocol):
    """The part of a context that sockets read. The context is copied for each operation."""

    @property
    def caller(self) -> Caller | None:
        """Return the user who authenticated the socket, or None for an anonymous one."""

    @property
    def owner(self) -> Owner:
        """Return whom the views of boards that the socket watches are charged to."""


class Contexts(Protocol):
    """Makes the contexts of operations."""

    async def admit_socket(self, scope: Scope) -> str:
        """Count a handshake against the limits of its address, and return that. Raises RateLimited."""

    def enter(self, context: Any) -> None:
        """Let log lines of the current task name the request of `context`."""

    async def from_socket(self, scope: Scope, payload: dict[str, Any]) -> SocketContext:
        """Return the context for a handshake and the payload of `connection_init`. Raises domain errors."""


@dataclass(frozen=True, slots=True)
class SocketDependencies:
    """The objects that all sockets of a process share."""

    operations: Operations
    multiplexer: SubscriptionMultiplexer
    contexts: Contexts
    connections: Connections
    metrics: OperationMetrics = field(default_factory=OperationMetrics)
    tracer: Tracer | None = None
