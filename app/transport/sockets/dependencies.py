"""What all sockets of a process have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.domain.users import Caller
from app.execution import Engine, Operation
from app.transport.multiplexing.multiplexer import SubscriptionMultiplexer
from app.transport.persisted_documents.resolve import Documents
from app.transport.sockets.connections import Connections

Scope = Mapping[str, Any]

Admission = Callable[[Any, Operation | None], Awaitable[None]]
"""Decides whether the caller of a context may run an operation now; raises a domain error when not. None in place of
the operation stands for a document that was refused, which cost time too."""


class SocketContext(Protocol):
    """What a socket needs to know of the context its operations run with. It is copied for each of them."""

    @property
    def caller(self) -> Caller | None:
        """Who authenticated the socket, or None for an anonymous one."""


class Contexts(Protocol):
    """Makes the contexts of operations."""

    async def of_socket(self, scope: Scope, payload: dict[str, Any]) -> SocketContext:
        """The context of a socket, from its handshake and the payload of `connection_init`. Raises domain errors."""


@dataclass(frozen=True, slots=True)
class SocketDependencies:
    """What all sockets of a process have in common."""

    engine: Engine
    shared: SubscriptionMultiplexer
    contexts: Contexts
    admit: Admission
    connections: Connections
    documents: Documents = field(default_factory=Documents)
