"""The open sockets of this process: their limits, their users and their counters."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from app.domain.counts_per_address import AddressCounts
from app.telemetry.requests import RefusalLog
from app.transport.sockets.close_codes import CloseCode
from app.transport.sockets.timer_wheel import Timer, TimerWheel


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """The limits of one process and of one socket. Times are in seconds."""

    max_sockets: int = 10_000
    max_sockets_per_address: int = 200
    """Sockets of one client address; of all addresses of an IPv6 site together, four times as many."""
    max_operations: int = 20
    """Operations that run at the same time on one socket."""
    init_timeout: float = 5.0
    """From the handshake to `connection_ack`, authentication included."""
    idle_timeout: float = 300.0
    ping_interval: float = 30.0
    messages_per_second: float = 20.0
    message_burst: int = 100
    """Messages, pings and pongs that may come at once before the rate is enforced."""


class SocketRegistry(Protocol):
    """The sockets of each user on all instances. Fails open: it does not raise when its store is unreachable."""

    async def add(self, user_id: str, socket_id: str) -> Sequence[str]:
        """Register a socket. Returns the ids of the user's oldest sockets beyond the limit, which must be closed.

        The registry notifies other instances of theirs.
        """

    async def remove(self, user_id: str, socket_id: str) -> None:
        """Remove a socket, which may have been removed already."""


class Connection(Timer, Protocol):
    """A socket, as `Connections` sees it."""

    id: str
    address: str

    def close(self, code: CloseCode, reason: str) -> None:
        """Close it with `code`, unless it is closing."""


USUAL_CLOSES = (CloseCode.IDLE, CloseCode.RESTART)
"""The codes of closes that are not logged."""

ABNORMAL_CLOSURE = 1006
"""The code of a connection that was lost without a close frame (RFC 6455)."""

_CLOSE_CODES = frozenset(int(code) for code in CloseCode)


class Refusal(NamedTuple):
    """Why a socket is refused."""

    code: CloseCode
    reason: str


@dataclass(slots=True)
class Traffic:
    """What went through the sockets of one process."""

    received: int = 0
    """Messages of clients, pings and pongs not included."""
    sent: int = 0
    """Messages of the protocol that were written."""
    sent_bytes: int = 0
    """The bytes of these messages, with the headers of their frames."""
    stalled: int = 0
    """Sockets that were closed because the client did not read."""

    def count_sent(self, frame: bytes) -> None:
        """Count a message that was written."""
        self.sent += 1
        self.sent_bytes += len(frame)


class Connections:
    """All open sockets of this process. The counters are plain numbers, for export as metrics."""

    def __init__(
        self,
        limits: SocketLimits,
        registry: SocketRegistry,
        *,
        instance: str,
        clock: Callable[[], float],
        refusal_log: RefusalLog | None = None,
    ) -> None:
        """Create the collection. Needs a running loop.

        Args:
            limits: The limits of this process.
            registry: The sockets of each user on all instances.
            instance: The prefix of socket ids, unique among all processes.
            clock: Returns Unix time in seconds.
            refusal_log: Where sockets are logged that are closed for a fault.
        """
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.timer_wheel = TimerWheel(self.loop)
        self.clock = clock
        self.opened = 0
        """Sockets accepted so far."""
        self.refused = 0
        """Sockets turned away because there were too many, or because the server was stopping."""
        self.operations = 0
        """Operations that run now, on all sockets."""
        self.closed: Counter[int | None] = Counter()
        """How many sockets the server closed, by close code; under None those that clients closed or lost."""
        self.traffic = Traffic()
        self.stopping = False
        self._registry = registry
        self._refusal_log = refusal_log
        self._instance = instance
        self._open: dict[str, Connection] = {}
        self._addresses = AddressCounts(limits.max_sockets_per_address)
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Return how many sockets are open now."""
        return len(self._open)

    @property
    def addresses(self) -> int:
        """Return how many client addresses and sites have open sockets."""
        return len(self._addresses)

    def refusal(self, address: str) -> Refusal | None:
        """Return why a further socket from `address` is refused, or None when it may be opened."""
        if self.stopping:
            return Refusal(CloseCode.RESTART, "Server restart")
        if len(self._open) >= self.limits.max_sockets:
            return Refusal(CloseCode.TRY_AGAIN_LATER, "Too many sockets")
        if self._addresses.is_full(address):
            return Refusal(CloseCode.TRY_AGAIN_LATER, "Too many sockets from your address")
        return None

    def new_id(self) -> str:
        """Return an id for the next socket, unique among all instances."""
        self.opened += 1
        return f"{self._instance}:{self.opened}"

    def log_close(self, connection: Connection, user_id: str | None, code: int | None, reason: str) -> None:
        """Log that a socket closes, unless that is usual: the client has closed it, it was idle, or the server stops.

        Args:
            connection: The socket.
            user_id: Its user.
            code: The close code that the server sends; None if the connection was lost.
            reason: The reason; empty for the name of the code.
        """
        if self._refusal_log is None or code in USUAL_CLOSES:
            return
        name = CloseCode(code).name if code in _CLOSE_CODES else "CONNECTION_LOST" if code is None else f"CLOSE_{code}"
        self._refusal_log.add(
            name,
            reason or name,
            event="socket_closed",
            close_code=ABNORMAL_CLOSURE if code is None else code,
            socket=connection.id,
            address=connection.address,
            user=user_id,
        )

    def add(self, connection: Connection) -> None:
        """Add a socket that was opened."""
        self._open[connection.id] = connection
        self._addresses.add(connection.address)

    def remove(self, connection: Connection, user_id: str | None, code: int | None) -> None:
        """Remove a socket that is closing with `code`, and its registration under `user_id`."""
        self.closed[code] += 1
        if self._open.pop(connection.id, None) is not None:
            self._addresses.remove(connection.address)
        self.timer_wheel.cancel(connection)
        if user_id is not None:
            self.run(self._registry.remove(user_id, connection.id))

    async def register(self, user_id: str, connection: Connection) -> None:
        """Count the socket as one of the user's, and close the oldest when there are too many."""
        for socket_id in await self._registry.add(user_id, connection.id):
            self.close(socket_id)

    def close(self, socket_id: str) -> None:
        """Close a socket that exceeds the limit of its user. Ids of other instances are ignored."""
        connection = self._open.get(socket_id)
        if connection is not None:
            connection.close(CloseCode.TOO_MANY, "Too many sockets of this user")

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start `work` in a task that `stop` waits for."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self, timeout: float = 5.0) -> None:
        """Close every socket with 1012, accept no more, and wait up to `timeout` seconds for running mutations."""
        self.stopping = True
        for number, connection in enumerate(list(self._open.values())):
            connection.close(CloseCode.RESTART, "Server restart")
            if number % 200 == 199:
                await asyncio.sleep(0)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)
