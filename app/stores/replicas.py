"""Read replicas of PostgreSQL, for reads that may lag a little behind the primary."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from itertools import count

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import ServiceUnavailable
from app.stores.postgres import Database

_Connect = Callable[[Database], AbstractAsyncContextManager[AsyncConnection]]


class Replicas:
    """Uses the replicas in turn. One that does not answer is skipped; if none answers, the primary is used."""

    def __init__(self, replicas: Sequence[Database], primary: Database) -> None:
        self._replicas = replicas
        self._primary = primary
        self._next = count()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection of a replica, as `Database.connect` does."""
        async with AsyncExitStack() as stack:
            yield await self._enter(stack, Database.connect)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection of a replica, as `Database.snapshot` does."""
        async with AsyncExitStack() as stack:
            yield await self._enter(stack, Database.snapshot)

    async def _enter(self, stack: AsyncExitStack, connect: _Connect) -> AsyncConnection:
        for _ in self._replicas:
            replica = self._replicas[next(self._next) % len(self._replicas)]
            try:
                return await stack.enter_async_context(connect(replica))
            except ServiceUnavailable:
                continue
        return await stack.enter_async_context(connect(self._primary))
