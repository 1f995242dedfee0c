"""Read replicas: copies of PostgreSQL that serve what may be a moment old."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from itertools import count

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import ServiceUnavailable
from app.stores.postgres import Database

Connect = Callable[[Database], AbstractAsyncContextManager[AsyncConnection]]


class Replicas:
    """Takes turns among the replicas. One that does not answer is passed over; the primary answers for all."""

    def __init__(self, replicas: Sequence[Database], primary: Database) -> None:
        self._replicas = replicas
        self._primary = primary
        self._turns = count()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """As `Database.connect`."""
        async with AsyncExitStack() as stack:
            yield await self._enter(stack, Database.connect)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """As `Database.snapshot`."""
        async with AsyncExitStack() as stack:
            yield await self._enter(stack, Database.snapshot)

    async def _enter(self, stack: AsyncExitStack, connect: Connect) -> AsyncConnection:
        for _ in self._replicas:
            replica = self._replicas[next(self._turns) % len(self._replicas)]
            try:
                return await stack.enter_async_context(connect(replica))
            except ServiceUnavailable:
                continue
        return await stack.enter_async_context(connect(self._primary))
