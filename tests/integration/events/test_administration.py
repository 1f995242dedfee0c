"""Moderators manage endpoints by GraphQL; metrics show the state of deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from app.domain.users import Role
from app.transport.routes.metrics.events import event_metrics
from app.wiring import App
from tests.integration.events.conftest import MODERATOR, deliver, happen
from tests.support.boards.ledgers import rows
from tests.support.event_receiver import Receiver
from tests.support.graphql.schema_client import Asker
from tests.support.manual_clock import WallClock
from tests.support.service import caller

ENDPOINT = "endpoint { id url types categories state undelivered deadLetters lost disabledReason createdBy }"
ADD = "mutation Add($input: AddEventEndpointInput!) { addEventEndpoint(input: $input) { secret %s } }" % ENDPOINT  # noqa: UP031
LIST = "{ eventEndpoints { id state undelivered oldestUndeliveredAt lastError nextAttemptAt failingSince } }"
REMOVE = "mutation Remove($id: ID!) { removeEventEndpoint(endpointId: $id) { %s } }" % ENDPOINT  # noqa: UP031
ROTATE = "mutation Rotate($id: ID!) { rotateEventEndpointSecret(endpointId: $id) { secret } }"
DISABLE = "mutation Disable($id: ID!) { disableEventEndpoint(endpointId: $id) { state disabledReason } }"
RESUME = "mutation Resume($id: ID!) { resumeEventEndpoint(endpointId: $id) { state } }"
RESEND = """
mutation Resend($id: ID!, $positions: [String!]) {
  resendEventDeadLetters(endpointId: $id, positions: $positions) { count }
}
"""
DEAD = """
query Dead($id: ID!, $first: Int, $after: String) {
  eventDeadLetters(endpointId: $id, first: $first, after: $after) {
    nodes { position eventId type subject attempts givenUpAt lastError } pageInfo { hasNextPage endCursor }
  }
}
"""


@pytest.fixture
def moderator(outbox_app: App) -> Asker:
    return Asker(outbox_app, caller("mod", Role.MODERATOR))


async def fail(event: dict[str, Any]) -> int:
    return 503


async def test_a_moderator_manages_an_endpoint(
    outbox_app: App, moderator: Asker, receiver: Receiver, clock: WallClock
) -> None:
    with capture_logs() as logs:
        filters = {"types": ["user.hidden"], "categories": ["global"]}
        added = (await moderator.ask(ADD, input={"url": receiver.url, **filters}))["addEventEndpoint"]
        endpoint_id = added["endpoint"]["id"]
        assert added["secret"].startswith("whsec_")
        assert (added["endpoint"]["types"], added["endpoint"]["state"]) == (["user.hidden"], "ACTIVE")
        rotated = (await moderator.ask(ROTATE, id=endpoint_id))["rotateEventEndpointSecret"]
        assert rotated["secret"] != added["secret"]
        assert (await moderator.ask(DISABLE, id=endpoint_id))["disableEventEndpoint"] == {
            "state": "DISABLED",
            "disabledReason": "a moderator has disabled it",
        }
        await happen(outbox_app, 1, 2)
        (listed,) = (await moderator.ask(LIST))["eventEndpoints"]
        assert (listed["id"], listed["undelivered"]) == (endpoint_id, 2)
        assert (await moderator.ask(RESUME, id=endpoint_id))["resumeEventEndpoint"] == {"state": "ACTIVE"}
        removed = (await moderator.ask(REMOVE, id=endpoint_id))["removeEventEndpoint"]["endpoint"]
        assert (removed["undelivered"], removed["createdBy"]) == (2, added["endpoint"]["createdBy"])
    changes = [line for line in logs if line["event"].startswith("event_endpoint_")]
    assert [line["event"].removeprefix("event_endpoint_") for line in changes] == [
        "added", "secret_rotated", "disabled_by_moderator", "resumed", "removed",
    ]  # fmt: skip
    assert {line["actor"] for line in changes} == {added["endpoint"]["createdBy"]}
    assert not any(added["secret"] in str(line) for line in changes)


async def test_only_moderators_see_and_change_endpoints(outbox_app: App, receiver: Receiver) -> None:
    for role in (Role.PLAYER, Role.SERVER):
        asker, some_id = Asker(outbox_app, caller("nosy", role)), str(uuid4())
        for document, variables in (
            (ADD, {"input": {"url": receiver.url}}), (LIST, {}), (REMOVE, {"id": some_id}), (ROTATE, {"id": some_id}),
            (DISABLE, {"id": some_id}), (RESUME, {"id": some_id}), (RESEND, {"id": some_id}), (DEAD, {"id": some_id}),
        ):  # fmt: skip
            assert await asker.fails(document, **variables) == "FORBIDDEN"
    assert await rows(outbox_app, "SELECT id FROM event_endpoints") == []


async def test_wrong_arguments_are_refused(moderator: Asker) -> None:
    some_id = str(uuid4())
    for document, variables in (
        (ADD, {"input": {"url": "nowhere"}}),
        (ADD, {"input": {"url": "https://example.com/", "types": ["user.renamed"]}}),
        (ADD, {"input": {"url": "https://example.com/", "categories": ["global"] * 101}}),
        (ADD, {"input": {"url": "https://example.com/", "categories": ["Not an id"]}}),
        (ADD, {"input": {"url": "https://example.com/\x7f"}}),
        (REMOVE, {"id": "1"}),
        (REMOVE, {"id": some_id}),
        (RESEND, {"id": some_id, "positions": ["-1"]}),
        (DEAD, {"id": some_id, "first": 101}),
        (DEAD, {"id": some_id, "after": "x"}),
    ):
        assert await moderator.fails(document, **variables) == "BAD_USER_INPUT"


async def test_dead_letters_are_read_in_pages_and_sent_again(
    outbox_app: App, moderator: Asker, receiver: Receiver, clock: WallClock
) -> None:
    added = await outbox_app.outbox.endpoints.add(MODERATOR, receiver.url, (), ())
    endpoint_id = str(added.report.endpoint.id)
    await happen(outbox_app, 1, 2, 3)
    receiver.answer = fail
    await deliver(outbox_app, clock)
    async with outbox_app.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE event_deliveries SET dead_at = now(), next_attempt_at = NULL")
    first = (await moderator.ask(DEAD, id=endpoint_id, first=2))["eventDeadLetters"]
    assert [one["position"] for one in first["nodes"]] == ["1", "2"]
    assert first["nodes"][0]["lastError"] == "status 503"
    after = first["pageInfo"]["endCursor"]
    second = (await moderator.ask(DEAD, id=endpoint_id, first=2, after=after))["eventDeadLetters"]
    assert ([one["position"] for one in second["nodes"]], second["pageInfo"]["hasNextPage"]) == (["3"], False)
    resent = await moderator.ask(RESEND, id=endpoint_id, positions=["2", "3"])
    assert resent["resendEventDeadLetters"]["count"] == 2
    receiver.answer = type(receiver).answer
    await deliver(outbox_app, clock, hours=1, step=600)
    assert sorted(event["sequence"] for event in receiver.taken) == ["2", "3"]


async def test_events_are_delivered_again_since_a_time(outbox_app: App, receiver: Receiver, clock: WallClock) -> None:
    added = await outbox_app.outbox.endpoints.add(MODERATOR, receiver.url, (), ())
    await happen(outbox_app, 1)
    ids = await happen(outbox_app, 2, 1)
    await deliver(outbox_app, clock)
    (recorded_at,) = await rows(outbox_app, "SELECT recorded_at FROM events WHERE position = 2")
    report = await outbox_app.outbox.endpoints.replay(MODERATOR, added.report.endpoint.id, recorded_at.recorded_at)
    assert report.undelivered == 2
    await deliver(outbox_app, clock)
    assert len(receiver.ids) == 5
    assert set(receiver.ids) == set(ids)
    later = recorded_at.recorded_at + timedelta(days=1)
    assert (await outbox_app.outbox.endpoints.replay(MODERATOR, added.report.endpoint.id, later)).undelivered == 0


async def test_metrics_show_what_is_undelivered_on_the_leader_alone(
    outbox_app: App, receiver: Receiver, clock: WallClock
) -> None:
    added = await outbox_app.outbox.endpoints.add(MODERATOR, receiver.url, (), ())
    receiver.answer = fail
    await happen(outbox_app, 1, 2)
    await deliver(outbox_app, clock)
    await outbox_app.outbox.statistics()
    endpoint = str(added.report.endpoint.id)

    def value(name: str) -> Any:
        (metric,) = [one for one in event_metrics(outbox_app) if one.name.endswith(name)]
        return metric.read()

    assert value("event_endpoint_undelivered") == {}
    outbox_app.jobs.is_leader = True
    try:
        assert value("event_endpoint_undelivered") == {(endpoint,): 2}
        assert value("events_kept") == 2
        assert value("event_endpoint_state") == {(endpoint, "active"): 1}
        assert value("event_delivery_attempts") == {(endpoint, "failed"): 2.0}
    finally:
        outbox_app.jobs.is_leader = False
