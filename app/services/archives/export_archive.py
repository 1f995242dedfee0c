"""The export of users, catalogue and ledger as JSON Lines, consistent as of one moment, while the service runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import orjson

from app.domain.errors import BadUserInput
from app.models.statements.archives.archive_format import FORMAT, PARTS, count_rows, stream_lines
from app.models.statements.retention.archived_months import read_archived_months
from app.runtime import Runtime
from app.stores.postgres import Database

Progress = Callable[[str, int, int], object]
"""Called with the name of a part, the number of its lines that are written, and their total."""

PROGRESS_INTERVAL = 1000
"""Lines between two reports of progress."""


class ArchiveExport:
    """Makes archives."""

    def __init__(self, database: Database, runtime: Runtime) -> None:
        self._database = database
        self._clock = runtime.clock

    async def lines(self, progress: Progress) -> AsyncIterator[bytes]:
        """Yield the lines of an archive: a head, the parts, and an end by which an incomplete archive is detected.

        The timeout of statements must allow for long ones.

        Raises:
            BadUserInput: Months were archived.
            ServiceUnavailable: PostgreSQL does not answer.
        """
        async with self._database.snapshot() as connection:
            if await read_archived_months(connection):
                raise BadUserInput(
                    "Months of the ledger were archived, so an export would not have complete chains. Back up the "
                    "database and the month files instead."
                )
            counts = {part.name: await count_rows(connection, part) for part in PARTS}
            head = {"format": FORMAT, "exportedAt": self._clock(), "lines": counts}
            yield orjson.dumps({"archive": head}, option=orjson.OPT_APPEND_NEWLINE)
            for part in PARTS:
                done = 0
                async for line in stream_lines(connection, part):
                    yield line
                    done += 1
                    if done % PROGRESS_INTERVAL == 0:
                        progress(part.name, done, counts[part.name])
                progress(part.name, done, counts[part.name])
        yield orjson.dumps({"end": counts}, option=orjson.OPT_APPEND_NEWLINE)
