"""The generation of cached profiles: a new one begins when entries in Redis may be wrong and cannot be replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from app.domain.errors import ServiceUnavailable
from app.models.statements.boards.copies import begin_generation, read_generation
from app.stores.postgres import Database

REFRESH_INTERVAL = 1.0
"""Seconds after which an instance knows of a new generation."""

NAME = "profiles"


class ProfileGeneration:
    """The generation of cached profiles, which is part of their keys in Redis, as PostgreSQL has it.

    A change of a profile that did not reach Redis begins a new one: it is durable, reaches instances that receive no
    notices because Redis is unavailable, and needs no list of what is still to be replaced.
    """

    def __init__(self, database: Database, on_change: Callable[[], object]) -> None:
        """Begin with the first generation; `on_change` is called when `refresh` reads another one."""
        self.current = ""
        self._database = database
        self._on_change = on_change
        self._next_is_due = False

    async def begin_next(self) -> None:
        """Begin a new generation, for all instances; later, if PostgreSQL does not answer."""
        self._next_is_due = True
        with suppress(ServiceUnavailable):
            await self.refresh()

    async def refresh(self) -> None:
        """Begin a generation that is due, and read the current one. Raises ServiceUnavailable."""
        async with self._database.connect() as connection:
            if self._next_is_due:
                self._next_is_due = False
                try:
                    await begin_generation(connection, NAME)
                except BaseException:
                    self._next_is_due = True
                    raise
            generation = await read_generation(connection, NAME)
        if generation != self.current:
            self.current = generation
            self._on_change()

    async def run(self) -> None:
        """Refresh until cancelled."""
        while True:
            with suppress(ServiceUnavailable):
                await self.refresh()
            await asyncio.sleep(REFRESH_INTERVAL)
