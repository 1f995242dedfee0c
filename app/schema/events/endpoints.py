"""Endpoints that events are delivered to, for moderators."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.domain.events.delivery import Delivery
from app.domain.events.endpoint import EndpointReport
from app.schema.enums import EventEndpointState


@strawberry.input(description="An endpoint to add, and the events that it gets.")
class AddEventEndpointInput:
    url: str = strawberry.field(description="Where events are sent to by POST: a URL that begins with `https://`.")
    types: list[str] = strawberry.field(
        default_factory=list, description="The types of events, such as `milestone.reached`. Empty for all."
    )
    categories: list[str] = strawberry.field(
        default_factory=list,
        description="The `id`s of categories whose events it gets, besides events of no category. Empty for all.",
    )


@strawberry.type(description="An endpoint that events are delivered to. Visible to moderators only.")
class EventEndpoint:
    id: strawberry.ID = strawberry.field(description="A stable identifier of the endpoint, to pass as `endpointId`.")
    url: str = strawberry.field(description="Where events are sent to.")
    types: list[str] = strawberry.field(description="The types of events that it gets. Empty for all.")
    categories: list[str] = strawberry.field(
        description="The `id`s of categories whose events it gets, besides events of no category. Empty for all."
    )
    state: EventEndpointState = strawberry.field(description="Whether deliveries are made.")
    disabled_reason: str | None = strawberry.field(description="Why it is disabled. Null unless it is.")
    last_error: str | None = strawberry.field(description="Why the last failed delivery failed. Null if none has.")
    last_success_at: datetime | None = strawberry.field(description="When it last took an event. Null before.")
    failing_since: datetime | None = strawberry.field(
        description="When the first delivery failed since then. Null if none has."
    )
    next_attempt_at: datetime | None = strawberry.field(
        description="When a paused endpoint is tried again. Null unless it is paused."
    )
    undelivered: int = strawberry.field(
        description=(
            "How many events are not delivered yet; those that the filter will leave out are counted too. At most "
            "2147483647."
        )
    )
    oldest_undelivered_at: datetime | None = strawberry.field(
        description="When the oldest event was recorded that was not tried yet. Null if there is none."
    )
    dead_letters: int = strawberry.field(description="How many deliveries were given up and can be sent again.")
    lost: int = strawberry.field(
        description="How many events were deleted before they could be delivered. At most 2147483647."
    )
    created_at: datetime = strawberry.field(description="When it was added.")
    created_by: strawberry.ID | None = strawberry.field(
        description="The id of the moderator who added it. Null for an operator."
    )

    @staticmethod
    def of(report: EndpointReport) -> EventEndpoint:
        """Convert an endpoint for moderators."""
        endpoint = report.endpoint
        return EventEndpoint(
            id=strawberry.ID(str(endpoint.id)),
            url=endpoint.url,
            types=list(endpoint.types),
            categories=list(endpoint.categories),
            state=endpoint.state,
            disabled_reason=endpoint.disabled_reason,
            last_error=endpoint.last_error,
            last_success_at=endpoint.last_success_at,
            failing_since=endpoint.failing_since,
            next_attempt_at=endpoint.paused_until,
            undelivered=min(report.undelivered, MAX_INT),
            oldest_undelivered_at=report.oldest,
            dead_letters=min(report.dead_letters, MAX_INT),
            lost=min(endpoint.lost, MAX_INT),
            created_at=endpoint.created_at,
            created_by=strawberry.ID(str(endpoint.created_by)) if endpoint.created_by else None,
        )


MAX_INT = 2**31 - 1
"""The largest value of the type `Int`."""


@strawberry.type(description="An endpoint with a new secret.")
class EventEndpointSecret:
    endpoint: EventEndpoint = strawberry.field(description="The endpoint that the secret is for.")
    secret: str = strawberry.field(
        description="The secret by which the receiver verifies deliveries. It cannot be read again."
    )


@strawberry.type(description="A delivery that was given up.")
class EventDeadLetter:
    position: str = strawberry.field(description="The position of the event, a whole number.")
    event_id: strawberry.ID = strawberry.field(description="The `id` of the event.")
    type: str = strawberry.field(description="The type of the event.")
    subject: str = strawberry.field(description="What the event is about.")
    attempts: int = strawberry.field(description="How many attempts have failed.")
    given_up_at: datetime = strawberry.field(description="When it was given up.")
    last_error: str | None = strawberry.field(description="Why the last attempt failed.")

    @staticmethod
    def of(delivery: Delivery) -> EventDeadLetter:
        """Convert a dead letter."""
        assert delivery.dead_at is not None
        return EventDeadLetter(
            position=str(delivery.position),
            event_id=strawberry.ID(str(delivery.event_id)),
            type=delivery.type,
            subject=delivery.subject,
            attempts=delivery.attempts,
            given_up_at=delivery.dead_at,
            last_error=delivery.last_error,
        )


@strawberry.type(description="The result of sending dead letters again.")
class DeadLettersResent:
    count: int = strawberry.field(description="How many dead letters will be delivered again.")


@strawberry.type(description="What was lost with an endpoint that was removed.")
class EventEndpointRemoved:
    endpoint: EventEndpoint = strawberry.field(
        description="The endpoint as it was: its `undelivered` events and `deadLetters` are not delivered any more."
    )
