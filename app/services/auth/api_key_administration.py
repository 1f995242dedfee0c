"""Administration of API keys: create, list and revoke them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from app.domain.errors import BadUserInput
from app.domain.identity.api_keys import HINT_LENGTH, MAX_ACTIVE_KEYS, ROLES, clean_key_name, hash_of, new_key
from app.domain.ids import uuid7
from app.domain.users import Role
from app.models.statements.auth.api_keys import KeyRecord, insert_key, read_all_keys, revoke_keys
from app.runtime import Runtime
from app.stores.postgres import Database


class NewApiKey(NamedTuple):
    """A key that was created. It is not stored, so it can be shown only now."""

    key: str
    record: KeyRecord


class ApiKeyAdministration:
    """Creates, lists and revokes API keys. Running instances follow within a second."""

    def __init__(self, database: Database, runtime: Runtime) -> None:
        self._database = database
        self._runtime = runtime

    async def create(self, name: str, role: Role, lifetime: timedelta | None = None) -> NewApiKey:
        """Create a key. Its name may be that of a key that it replaces.

        Raises:
            BadUserInput: The name or the role is not valid, or there are too many keys.
        """
        if role not in ROLES:
            raise BadUserInput(f"The role of a key must be {' or '.join(one.value for one in ROLES)}.")
        key, now = new_key(self._runtime.random_bytes), self._runtime.clock()
        record = KeyRecord(
            uuid7(now, self._runtime.random_bytes),
            clean_key_name(name),
            role.value,
            key[:HINT_LENGTH],
            now,
            None if lifetime is None else now + lifetime,
        )
        async with self._database.begin() as connection:
            if not await insert_key(connection, record, hash_of(key), MAX_ACTIVE_KEYS):
                raise BadUserInput(f"There must be at most {MAX_ACTIVE_KEYS} keys: revoke those that nobody uses.")
        return NewApiKey(key, record)

    async def records(self) -> Sequence[KeyRecord]:
        """Return all keys, also those that have ended, the oldest first."""
        async with self._database.connect() as connection:
            return await read_all_keys(connection)

    async def revoke(self, reference: str) -> KeyRecord:
        """Revoke the key with this id, or the one active key with this name, and return it.

        Raises:
            BadUserInput: There is no such key, it is revoked already, or several active keys have the name.
        """
        records = await self.records()
        found = [record for record in records if str(record.id) == reference]
        found = found or [record for record in records if record.name == reference and record.revoked_at is None]
        if len(found) > 1:
            ids = ", ".join(str(record.id) for record in found)
            raise BadUserInput(f"Several keys have the name {reference}: revoke one of them by its id: {ids}")
        if not found:
            raise BadUserInput(f"There is no active key with the id or the name {reference!r}.")
        if not await self._revoke([found[0].id]):
            raise BadUserInput(f"The key {reference} was revoked before.")
        return found[0]

    async def _revoke(self, ids: Sequence[UUID]) -> int:
        async with self._database.begin() as connection:
            return await revoke_keys(connection, ids, self._runtime.clock())
