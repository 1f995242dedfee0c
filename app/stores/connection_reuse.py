"""Which connections of a pool may be used again.

PostgreSQL executes a statement even if the client no longer waits for the result. A `BEGIN` whose result was not
awaited leaves its connection in an open transaction: statements that follow on that connection seem to be committed and
are rolled back later. A request to cancel may reach the statement after the one it was meant for. Therefore a
connection is closed after a call without a result, and no connection is checked out or in within a transaction.
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
"""The SQLSTATE of a write that is refused by a standby, or by a server that was made read-only."""

# Classes of SQLSTATE about the server instead of the statement: connection, resources, operator intervention, system.
_SERVER_TROUBLE = ("08", "53", "57", "58")


def is_server_trouble(sqlstate: str | None) -> bool:
    """Return whether an error is about the state of the server, and not about the statement."""
    return sqlstate is not None and (sqlstate == READ_ONLY or sqlstate[:2] in _SERVER_TROUBLE)


def discard_unusable_connections(engine: AsyncEngine) -> None:
    """Make the pool of `engine` close every connection that may be in a state that its next user does not expect."""
    event.listen(engine.sync_engine, "handle_error", _discard_after_error)
    event.listen(engine.sync_engine, "checkin", _discard_in_transaction)
    event.listen(engine.sync_engine, "checkout", _refuse_in_transaction)


def _discard_after_error(context: ExceptionContext) -> None:
    # SQLAlchemy itself discards what was cancelled, timed out or lost.
    error = context.original_exception
    sqlstate = getattr(error, "sqlstate", None)
    if context.connection is None:
        # No connection could be opened: that is the server's trouble, whatever its reason, and no statement's.
        context.is_disconnect = True
    if context.is_disconnect:
        return
    if is_server_trouble(sqlstate) or isinstance(error, asyncpg.InternalClientError):
        context.is_disconnect = True
        # The other connections lead to the same server, and after a failover it is no longer the right one.
        context.invalidate_pool_on_disconnect = sqlstate == READ_ONLY


def _discard_in_transaction(connection: Any, record: Any) -> None:
    if connection is not None and _driver(connection).is_in_transaction():
        log.error("connection_discarded", reason="it was returned to the pool within a transaction")
        record.invalidate()


def _refuse_in_transaction(connection: Any, record: Any, proxy: Any) -> None:
    if _driver(connection).is_in_transaction():
        log.error("connection_discarded", reason="it was within a transaction while it was in the pool")
        raise DisconnectionError


def _driver(connection: Any) -> Any:
    return connection.driver_connection
