"""Events for other systems: moderators manage the endpoints that they are delivered to."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry

from app.domain.boards.cursors import id_cursor, parse_id_cursor
from app.domain.errors import BadUserInput
from app.domain.ids import parse_id
from app.domain.rate_limits import Activity
from app.domain.users import Role
from app.resolvers.arguments import Info
from app.resolvers.authorization import moderator_of
from app.schema import lookups
from app.schema.arguments import DEFAULT_FIRST, After, First
from app.schema.connections import Connection
from app.schema.events.endpoints import (
    AddEventEndpointInput,
    DeadLettersResent,
    EventDeadLetter,
    EventEndpoint,
    EventEndpointRemoved,
    EventEndpointSecret,
)

EndpointId = Annotated[
    strawberry.ID, strawberry.argument(description="The `id` of an endpoint, as listed by `eventEndpoints`.")
]

CHANGE = {"activity": Activity.QUERY}


def _endpoint_id(endpoint_id: str) -> UUID:
    return parse_id("endpointId", endpoint_id)


@strawberry.type
class EventQueryFields:
    """Queries about endpoints."""

    @strawberry.field(
        description="The endpoints that events are delivered to, oldest first. Requires the role `moderator`.",
        metadata={"viewer": True, "lookups": lookups.endpoints},
    )
    async def event_endpoints(self, info: Info) -> list[EventEndpoint]:
        """List endpoints."""
        info.context.require_role(Role.MODERATOR)
        return [EventEndpoint.of(report) for report in await info.context.services.event_endpoints.all()]

    @strawberry.field(
        description=(
            "Deliveries to an endpoint that were given up, in the order of the events. Requires the role `moderator`."
        ),
        metadata={"viewer": True, "lookups": lookups.rows},
    )
    async def event_dead_letters(
        self, info: Info, endpoint_id: EndpointId, first: First = DEFAULT_FIRST, after: After = None
    ) -> Connection[EventDeadLetter]:
        """Read dead letters."""
        info.context.require_role(Role.MODERATOR)
        key = _endpoint_id(endpoint_id)
        last = 0 if after is None else parse_id_cursor(f"deadLetters:{key}", after).int % 2**63
        size = DEFAULT_FIRST if first is None else first
        letters, has_more = await info.context.services.event_endpoints.dead_letters(key, size, last)
        return Connection.of(
            [EventDeadLetter.of(letter) for letter in letters],
            [id_cursor(f"deadLetters:{key}", UUID(int=letter.position)) for letter in letters],
            is_first=after is None,
            has_more=has_more,
        )


@strawberry.type
class EventMutationFields:
    """Changes of endpoints."""

    @strawberry.mutation(
        description=(
            "Add an endpoint, to which the events are delivered that happen from now on. Requires the role `moderator`."
        ),
        metadata=CHANGE,
    )
    async def add_event_endpoint(
        self,
        info: Info,
        input: Annotated[AddEventEndpointInput, strawberry.argument(description="The URL, and which events it gets.")],
    ) -> EventEndpointSecret:
        """Add an endpoint."""
        endpoints = info.context.services.event_endpoints
        added = await endpoints.add(moderator_of(info.context), input.url, input.types, input.categories)
        return EventEndpointSecret(endpoint=EventEndpoint.of(added.report), secret=added.secret)

    @strawberry.mutation(
        description=(
            "Remove an endpoint. What was not delivered to it is lost, and counted in the result. Requires the role "
            "`moderator`."
        ),
        metadata=CHANGE,
    )
    async def remove_event_endpoint(self, info: Info, endpoint_id: EndpointId) -> EventEndpointRemoved:
        """Remove an endpoint."""
        endpoints = info.context.services.event_endpoints
        removed = await endpoints.remove(moderator_of(info.context), _endpoint_id(endpoint_id))
        return EventEndpointRemoved(endpoint=EventEndpoint.of(removed))

    @strawberry.mutation(
        description=(
            "Replace the secret of an endpoint. For 24 hours deliveries are signed with the previous one too. "
            "Requires the role `moderator`."
        ),
        metadata=CHANGE,
    )
    async def rotate_event_endpoint_secret(self, info: Info, endpoint_id: EndpointId) -> EventEndpointSecret:
        """Rotate the secret of an endpoint."""
        endpoints = info.context.services.event_endpoints
        rotated = await endpoints.rotate(moderator_of(info.context), _endpoint_id(endpoint_id))
        return EventEndpointSecret(endpoint=EventEndpoint.of(rotated.report), secret=rotated.secret)

    @strawberry.mutation(
        description=(
            "Stop deliveries to an endpoint until it is resumed. Events are kept meanwhile, for as long as the "
            "installation keeps events. Requires the role `moderator`."
        ),
        metadata=CHANGE,
    )
    async def disable_event_endpoint(self, info: Info, endpoint_id: EndpointId) -> EventEndpoint:
        """Disable an endpoint."""
        endpoints = info.context.services.event_endpoints
        return EventEndpoint.of(await endpoints.disable(moderator_of(info.context), _endpoint_id(endpoint_id)))

    @strawberry.mutation(
        description=(
            "Deliver to an endpoint again that is paused or disabled, from where it was. Requires the role `moderator`."
        ),
        metadata=CHANGE,
    )
    async def resume_event_endpoint(self, info: Info, endpoint_id: EndpointId) -> EventEndpoint:
        """Resume an endpoint."""
        endpoints = info.context.services.event_endpoints
        return EventEndpoint.of(await endpoints.resume(moderator_of(info.context), _endpoint_id(endpoint_id)))

    @strawberry.mutation(
        description="Deliver dead letters of an endpoint again. Requires the role `moderator`.",
        metadata=CHANGE,
    )
    async def resend_event_dead_letters(
        self,
        info: Info,
        endpoint_id: EndpointId,
        positions: Annotated[
            list[str] | None,
            strawberry.argument(description="The `position`s of up to 100 dead letters. Omit it for all of them."),
        ] = None,
    ) -> DeadLettersResent:
        """Send dead letters again."""
        moderator, key = moderator_of(info.context), _endpoint_id(endpoint_id)
        if positions is not None and (len(positions) > MAX_POSITIONS or not all(map(_is_position, positions))):
            raise BadUserInput(f"`positions` must be at most {MAX_POSITIONS} positions of dead letters.")
        chosen = None if positions is None else [int(position) for position in positions]
        return DeadLettersResent(count=await info.context.services.event_endpoints.resend(moderator, key, chosen))


MAX_POSITIONS = 100


def _is_position(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18
