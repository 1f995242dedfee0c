"""Log statements that PostgreSQL took long for."""

from __future__ import annotations

import structlog

from app.runtime import Runtime
from app.telemetry.bounded_log import BoundedLog

MAX_STATEMENT = 500
"""Characters of a statement that a line shows."""

log = structlog.get_logger(__name__)


class SlowStatements:
    """Writes at most one line for each statement within ten seconds. Parameters are left out: users send them."""

    def __init__(self, runtime: Runtime, *, seconds: float) -> None:
        """Log what takes longer than `seconds`; 0 logs nothing."""
        self._seconds = seconds
        self._log = BoundedLog(log, runtime)

    def observe(self, statement: str, seconds: float, store: str) -> None:
        """Log `statement` if it took long.

        Args:
            statement: The SQL.
            seconds: How long it took until the result was there.
            store: The hosts and ports of the database.
        """
        if self._seconds and seconds > self._seconds:
            shown = " ".join(statement.split())[:MAX_STATEMENT]
            if self._log.permits("slow_statement", shown):
                log.warning("slow_statement", seconds=round(seconds, 3), statement=shown, store=store)
