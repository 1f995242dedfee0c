"""Which connections of a pool may be used again.

PostgreSQL carries out what it was sent even when nobody waits for the answer any more. A `BEGIN` that was given up
leaves its connection in a transaction that nobody commits, so that whatever follows on that connection looks
committed and is rolled back later; a request to cancel may reach the statement after the one it was meant for.
Therefore a connection is closed after a call without an answer, and none is lent or taken back within a transaction.
"""

from __future__ import annotations

from typing import Any

import asyncpg
import structlog
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine

log = structlog.get_logger(__name__)

READ_ONLY = "25006"
"""SQLSTATE of a write that a standby, or a server that was made read-only, refuses."""

# Classes of SQLSTATE that say the server, not the statement, is in trouble: connection, resources, intervention.
_SERVER_TROUBLE = ("08", "53", "57", "58")


def is_server_trouble(sqlstate: str | None) -> bool:
    """Whether an error is about the state of the server, and not about the statement."""
    return sqlstate is not None and (sqlstate == READ_ONLY or sqlstate[:2] in _SERVER_TROUBLE)


def discard_unusable_connections(engine: AsyncEngine) -> None:
    """Make the pool of `engine` close each connection that may be in a state that its next user does not expect."""
    event.listen(engine.sync_engine, "handle_error", _discard_after_error)
    event.listen(engine.sync_engine, "checkin", _discard_in_transaction)
    event.listen(engine.sync_engine, "checkout", _refuse_in_transaction)


def _discard_after_error(context: ExceptionContext) -> None:
    # SQLAlchemy itself discards what was cancelled, timed out or lost.
    error = context.original_exception
    sqlstate = getattr(error, "sqlstate", None)
    if context.connection is None or context.is_disconnect:
        return
    if is_server_trouble(sqlstate) or isinstance(error, asyncpg.InternalClientError):
        context.is_disconnect = True
        # The other connections lead to the same server, and after a failover it is no longer the right one.
        context.invalidate_pool_on_disconnect = sqlstate == READ_ONLY


def _discard_in_transaction(connection: Any, record: Any) -> None:
    if connection is not None and _driver(connection).is_in_transaction():
        log.error("connection_discarded", reason="it was returned to the pool within a transaction")
        record.invalidate()


def _refuse_in_transaction(connection: Any, record: Any, lent: Any) -> None:
    if _driver(connection).is_in_transaction():
        log.error("connection_discarded", reason="it was within a transaction while it was in the pool")
        raise DisconnectionError


def _driver(connection: Any) -> Any:
    return connection.driver_connection
