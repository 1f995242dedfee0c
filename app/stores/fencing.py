"""Fencing: a transaction of a job is refused once another instance may run the jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import ServiceUnavailable

# KEY SHARE does not wait for a renewal, which changes no key, and makes a take-over wait for this transaction, because
# the token is part of a key.
_CHECK = text(
    """
    SELECT 1 FROM leases
    WHERE name = :name AND holder = :holder AND token = :token AND expires_at > clock_timestamp()
    FOR KEY SHARE
    """
)

_current: ContextVar[Fence | None] = ContextVar("fence", default=None)


class LeaseLost(ServiceUnavailable):
    """The lease of the job that began this transaction has expired, or another instance has it."""


@dataclass(frozen=True, slots=True)
class Fence:
    """One holding of a lease, which every transaction within `applied` requires.

    Attributes:
        name: The name of the lease.
        holder: Identifies this holding; no other one has the same.
        token: Grows with every change of the holder.
    """

    name: str
    holder: UUID
    token: int

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Require the lease in the block, and in the tasks that are created in it."""
        previous = _current.set(self)
        try:
            yield
        finally:
            _current.reset(previous)


async def require_lease(connection: AsyncConnection) -> None:
    """Check the lease in a transaction that a job has just begun; the lease is kept until the transaction ends.

    Raises:
        LeaseLost: The lease has expired, or another instance has it.
    """
    fence = _current.get()
    if fence is None:
        return
    parameters = {"name": fence.name, "holder": fence.holder, "token": fence.token}
    if (await connection.execute(_CHECK, parameters)).first() is None:
        raise LeaseLost
