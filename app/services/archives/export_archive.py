"""Export: users, catalogue and ledger as lines of JSON, all of one moment, while the service works."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime

import orjson

from app.models.statements.archives.archive import FORMAT, PARTS, count, lines_of
from app.stores.postgres import Database

Progress = Callable[[str, int, int], object]
"""Hears the name of a part, how many of its lines are done, and how many it has."""

EVERY = 1000


class ArchiveExport:
    """Writes archives."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def lines(self, progress: Progress) -> AsyncIterator[bytes]:
        """The lines of an archive: a head, the parts, and an end that tells a whole archive from a torn one.

        Raises ServiceUnavailable. The database should allow for statements that take long.
        """
        async with self._database.snapshot() as connection:
            counts = {part.name: await count(connection, part) for part in PARTS}
            head = {"format": FORMAT, "exportedAt": self._clock(), "lines": counts}
            yield orjson.dumps({"archive": head}, option=orjson.OPT_APPEND_NEWLINE)
            for part in PARTS:
                done = 0
                async for line in lines_of(connection, part):
                    yield line
                    done += 1
                    if done % EVERY == 0:
                        progress(part.name, done, counts[part.name])
                progress(part.name, done, counts[part.name])
        yield orjson.dumps({"end": counts}, option=orjson.OPT_APPEND_NEWLINE)
