"""Administration of endpoints: add, list, remove and resume them, rotate secrets, and send dead letters again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import BadUserInput
from app.domain.events.delivery import Delivery
from app.domain.events.endpoint import (
    MAX_ENDPOINTS,
    SECRET_OVERLAP,
    Endpoint,
    EndpointReport,
    clean_categories,
    clean_types,
    clean_url,
)
from app.domain.events.event import EventType
from app.domain.events.signature import new_secret
from app.domain.ids import uuid7
from app.domain.ledger.transactions import Actor
from app.models.statements.events.deliveries import read_dead, resend_dead
from app.models.statements.events.endpoints import (
    delete_endpoint,
    disable_endpoint,
    find_endpoint,
    insert_endpoint,
    read_reports,
    resume_endpoint,
    rewind_endpoint,
    rotate_secret,
)
from app.models.statements.events.recorded_events import position_before
from app.runtime import Runtime
from app.stores.postgres import Database

log = structlog.get_logger(__name__)

MAX_PER_PAGE = 100
"""Dead letters per page."""

DISABLED_BY_MODERATOR = "a moderator has disabled it"


class NewSecret(NamedTuple):
    """An endpoint, and the secret by which its receiver verifies deliveries."""

    report: EndpointReport
    secret: str


class Endpoints:
    """The endpoints of the installation. Every change is written to the log with its actor.

    An endpoint gets the events that are committed after `add` has returned.
    """

    def __init__(
        self, database: Database, recorded: Collection[EventType], runtime: Runtime, *, encrypted_only: bool
    ) -> None:
        """Create the service.

        Args:
            database: Where endpoints are stored.
            recorded: The types of events that are recorded.
            runtime: The sources of time, ids and secrets.
            encrypted_only: Whether URLs must begin with `https://`.
        """
        self._database = database
        self._recorded = frozenset(recorded)
        self._runtime = runtime
        self._encrypted_only = encrypted_only

    async def add(self, actor: Actor, url: str, types: Sequence[str], categories: Sequence[str]) -> NewSecret:
        """Add an endpoint.

        Raises:
            BadUserInput: The URL or a type is not valid, or there are too many endpoints.
        """
        url, types = clean_url(url, encrypted_only=self._encrypted_only), clean_types(types, self._recorded)
        categories = clean_categories(categories)
        now, secret = self._runtime.clock(), new_secret(self._runtime.random_bytes)
        endpoint_id = uuid7(now, self._runtime.random_bytes)
        async with self._database.begin() as connection:
            if not await insert_endpoint(connection, endpoint_id, url, types, categories, secret, now, actor.id):
                raise BadUserInput(f"There must be at most {MAX_ENDPOINTS} endpoints.")
            report = await self._report(connection, endpoint_id)
        self._log("added", actor, endpoint_id, url=url)
        return NewSecret(report, secret)

    async def all(self) -> Sequence[EndpointReport]:
        """Return all endpoints, the oldest first."""
        async with self._database.connect() as connection:
            return await read_reports(connection, self._runtime.clock())

    async def remove(self, actor: Actor, endpoint_id: UUID) -> EndpointReport:
        """Remove an endpoint, and return what is lost with it. Raises BadUserInput if there is none with this id."""
        async with self._database.begin() as connection:
            await self._lock(connection, endpoint_id)
            report = await self._report(connection, endpoint_id)
            await delete_endpoint(connection, endpoint_id)
        self._log("removed", actor, endpoint_id, undelivered=report.undelivered, dead_letters=report.dead_letters)
        return report

    async def rotate(self, actor: Actor, endpoint_id: UUID) -> NewSecret:
        """Replace the secret. For a day deliveries are signed with the present one too.

        Raises:
            BadUserInput: There is no endpoint with this id.
        """
        now, secret = self._runtime.clock(), new_secret(self._runtime.random_bytes)
        async with self._database.begin() as connection:
            await self._lock(connection, endpoint_id)
            await rotate_secret(connection, endpoint_id, secret, now + SECRET_OVERLAP)
            report = await self._report(connection, endpoint_id)
        self._log("secret_rotated", actor, endpoint_id)
        return NewSecret(report, secret)

    async def resume(self, actor: Actor, endpoint_id: UUID) -> EndpointReport:
        """Let deliveries be made at once to an endpoint that is paused or disabled. Raises BadUserInput."""
        async with self._database.begin() as connection:
            await self._lock(connection, endpoint_id)
            await resume_endpoint(connection, endpoint_id)
            report = await self._report(connection, endpoint_id)
        self._log("resumed", actor, endpoint_id)
        return report

    async def disable(self, actor: Actor, endpoint_id: UUID) -> EndpointReport:
        """Stop deliveries until the endpoint is resumed; what happens meanwhile is delivered then.

        Raises:
            BadUserInput: There is no endpoint with this id.
        """
        async with self._database.begin() as connection:
            await self._lock(connection, endpoint_id)
            await disable_endpoint(connection, endpoint_id, DISABLED_BY_MODERATOR, self._runtime.clock())
            report = await self._report(connection, endpoint_id)
        self._log("disabled_by_moderator", actor, endpoint_id)
        return report

    async def replay(self, actor: Actor, endpoint_id: UUID, since: datetime) -> EndpointReport:
        """Let the events that were recorded since then, and are still kept, be delivered again.

        Raises:
            BadUserInput: There is no endpoint with this id.
        """
        async with self._database.begin() as connection:
            await self._lock(connection, endpoint_id)
            await rewind_endpoint(connection, endpoint_id, await position_before(connection, since))
            report = await self._report(connection, endpoint_id)
        self._log("replayed", actor, endpoint_id, since=since.isoformat())
        return report

    async def dead_letters(self, endpoint_id: UUID, first: int, after: int = 0) -> tuple[Sequence[Delivery], bool]:
        """Return deliveries that were given up, in the order of their events, and whether there are more.

        Args:
            endpoint_id: The endpoint.
            first: The maximum number.
            after: The position of the last one of the page before.

        Raises:
            BadUserInput: `first` is out of range.
        """
        if not 1 <= first <= MAX_PER_PAGE:
            raise BadUserInput(f"The number of dead letters must be between 1 and {MAX_PER_PAGE}.")
        async with self._database.connect() as connection:
            found = await read_dead(connection, endpoint_id, after, first + 1)
        return found[:first], len(found) > first

    async def resend(self, actor: Actor, endpoint_id: UUID, positions: Sequence[int] | None = None) -> int:
        """Let dead letters be delivered again, all of them by default, and return how many.

        Raises:
            BadUserInput: There is no endpoint with this id.
        """
        async with self._database.begin() as connection:
            await self._lock(connection, endpoint_id)
            count = await resend_dead(connection, endpoint_id, positions, self._runtime.clock())
        self._log("dead_letters_resent", actor, endpoint_id, count=count)
        return count

    async def _lock(self, connection: AsyncConnection, endpoint_id: UUID) -> Endpoint:
        found = await find_endpoint(connection, endpoint_id, self._runtime.clock(), lock=True)
        if found is None:
            raise BadUserInput("There is no endpoint with this id.")
        return found

    async def _report(self, connection: AsyncConnection, endpoint_id: UUID) -> EndpointReport:
        (report,) = await read_reports(connection, self._runtime.clock(), endpoint_id)
        return report

    def _log(self, what: str, actor: Actor, endpoint_id: UUID, **facts: object) -> None:
        actor_id = None if actor.id is None else str(actor.id)
        log.info(f"event_endpoint_{what}", endpoint=str(endpoint_id), actor=actor_id, role=actor.role, **facts)
