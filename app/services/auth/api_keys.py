"""Verification of API keys. Each process keeps the active keys in memory, and reads them several times a second."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import structlog

from app.domain.errors import ServiceUnavailable, Unauthenticated
from app.domain.identity.api_keys import MAX_ACTIVE_KEYS, caller_id, hash_of
from app.domain.users import Caller, Role, SigningKey
from app.models.statements.auth.api_keys import ActiveKey, note_uses, read_active_keys
from app.runtime import Runtime
from app.services.auth.verify_jwt import MAX_TIMESTAMP
from app.stores.postgres import Database
from app.telemetry.bounded_log import BoundedLog

log = structlog.get_logger(__name__)

REFRESH_INTERVAL = 0.4
"""Seconds between two reads of the keys: a revoked key ends everywhere within a second, with or without Redis."""

MIN_REFRESH_INTERVAL = 0.1
"""Seconds that a read waits which an unknown key causes, so that many of them cause one."""

NOTE_INTERVAL = 60.0
"""Seconds between two writes of the last use of a key."""


@dataclass(slots=True)
class KnownKey:
    """An active key, with the caller who uses it."""

    id: UUID
    name: str
    caller: Caller
    noted_at: float | None = None

    @property
    def state(self) -> SigningKey:
        """Whether it is trusted, and whether it was used since the last use was noted."""
        return self.caller.signing_key


class ApiKeys:
    """Verifies API keys."""

    def __init__(self, database: Database, runtime: Runtime) -> None:
        self._database = database
        self._clock = runtime.clock
        self._monotonic = runtime.monotonic
        self._known: dict[bytes, KnownKey] = {}
        self._next_read: asyncio.Task[None] | None = None
        self._reading = asyncio.Lock()
        self._log = BoundedLog(log, runtime)
        self.accepted = 0
        self.refused = 0

    async def verify(self, key: str) -> Caller:
        """Return the caller who uses `key`.

        Raises:
            Unauthenticated: The key is unknown, revoked or expired.
            ServiceUnavailable: The key is not known here, and PostgreSQL does not answer.
        """
        digest = hash_of(key)
        if digest not in self._known:
            # It may be new. The read is shared, so that guessing costs next to nothing.
            self._next_read = self._next_read or asyncio.create_task(self._read_soon())
            await asyncio.shield(self._next_read)
        known = self._known.get(digest)
        if known is None:
            self.refused += 1
            self._log.info("api_key_refused", key="unknown", reason="the key is unknown or was revoked")
            raise Unauthenticated
        if not known.caller.is_valid_at(self._clock().timestamp()):
            self.refused += 1
            self._log.info("api_key_refused", key=str(known.id), reason="the key has expired", name=known.name)
            raise Unauthenticated(expired=True)
        known.state.is_used = True
        self.accepted += 1
        return known.caller

    async def run(self) -> None:
        """Keep the known keys current, and note when they were used, until cancelled."""
        while True:
            with suppress(ServiceUnavailable):
                if self._known:
                    await self.refresh()
                    await self._note_uses()
            await asyncio.sleep(REFRESH_INTERVAL)

    async def refresh(self) -> None:
        """Read the keys. Those that are gone are withdrawn, and what they opened ends. Raises ServiceUnavailable."""
        async with self._reading:  # One after the other, so that the last read is the newest.
            async with self._database.connect() as connection:
                rows = await read_active_keys(connection, MAX_ACTIVE_KEYS)
            before = self._known
            self._known = {row.hash: before.get(row.hash) or _known_key(row) for row in rows}
        for digest in before.keys() - self._known.keys():
            gone = before[digest]
            log.info("api_key_withdrawn", id=str(gone.id), name=gone.name)
            gone.state.withdraw()

    async def _read_soon(self) -> None:
        await asyncio.sleep(MIN_REFRESH_INTERVAL)
        # A key that is asked for from now on may be newer than this read.
        self._next_read = None
        await self.refresh()

    async def _note_uses(self) -> None:
        now = self._monotonic()
        due = [
            known
            for known in self._known.values()
            if known.state.is_used and (known.noted_at is None or now - known.noted_at >= NOTE_INTERVAL)
        ]
        if not due:
            return
        for known in due:
            known.state.is_used, known.noted_at = False, now
        async with self._database.begin() as connection:
            await note_uses(connection, [known.id for known in due])


def _known_key(row: ActiveKey) -> KnownKey:
    expires_at = MAX_TIMESTAMP if row.expires_at is None else int(row.expires_at.timestamp())
    return KnownKey(row.id, row.name, Caller(caller_id(row.name), row.name, None, Role(row.role), expires_at))
