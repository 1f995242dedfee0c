"""The loop that keeps the catalogue of this process current."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from app.services.catalogue.cache import CatalogueService

REFRESH_INTERVAL = 30.0
"""Seconds after which the catalogue is read again without a notice, because notices can be lost."""


class CatalogueRefresh:
    """Reads the catalogue again when it is outdated, and at a regular interval."""

    def __init__(self, catalogue: CatalogueService, on_refreshed: Callable[[], object]) -> None:
        """Initialise the loop; `on_refreshed` is called after every reading: a category may be new."""
        self._catalogue = catalogue
        self._on_refreshed = on_refreshed

    async def run(self) -> None:
        """Refresh until cancelled.

        Raises:
            ServiceUnavailable: PostgreSQL does not answer; the loop must be started again.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_INTERVAL):
                    await self._catalogue.outdated.wait()
            await self._catalogue.refresh()
            self._on_refreshed()
