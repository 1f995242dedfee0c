"""Webhooks: signed, at least once, in order of each subject; a receiver that misbehaves loses nothing."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.config import Settings
from app.domain.errors import BadUserInput
from app.domain.events.endpoint import EndpointState
from app.domain.events.event import EventType
from app.wiring import App
from tests.integration.events.conftest import MODERATOR, deliver, happen
from tests.support.boards.ledgers import rows
from tests.support.event_receiver import Receiver, subject_orders
from tests.support.manual_clock import WallClock
from tests.support.service import opened


async def add(app: App, receiver: Receiver, *types: str, categories: tuple[str, ...] = ()) -> Any:
    """Add the endpoint of a receiver, and return its id."""
    added = await app.outbox.endpoints.add(MODERATOR, receiver.url, types, categories)
    receiver.secrets.append(added.secret)
    return added.report.endpoint.id


async def state_of(app: App) -> Any:
    (report,) = await app.outbox.endpoints.all()
    return report


async def fail(event: dict[str, Any]) -> int:
    return 503


async def test_an_endpoint_gets_what_happens_after_it_was_added_signed_and_once(
    outbox_app: App, receiver: Receiver, clock: WallClock
) -> None:
    before = await happen(outbox_app, 1, 2)
    await add(outbox_app, receiver)
    ids = await happen(outbox_app, 3, 1, 3)
    await deliver(outbox_app, clock)
    await deliver(outbox_app, clock)
    assert sorted(receiver.ids) == sorted(set(ids) - set(before))
    assert receiver.signed_with == [receiver.secrets] * 3
    assert all(order == sorted(order) for order in subject_orders(receiver.arrived).values())
    report = await state_of(outbox_app)
    assert (report.undelivered, report.oldest, report.endpoint.state) == (0, None, EndpointState.ACTIVE)


async def test_filters_choose_types_and_categories(outbox_app: App, receiver: Receiver, clock: WallClock) -> None:
    await add(outbox_app, receiver, "user.deleted")
    await happen(outbox_app, 1)
    await happen(outbox_app, 2, event_type=EventType.USER_DELETED)
    await deliver(outbox_app, clock)
    assert [event["type"] for event in receiver.taken] == ["user.deleted"]
    assert (await state_of(outbox_app)).undelivered == 0
    with pytest.raises(BadUserInput, match=r"must be one of score\.committed"):
        await add(outbox_app, receiver, "user.renamed")
    with pytest.raises(BadUserInput, match="EVENT_TYPES must name it"):
        await add(outbox_app, receiver, "score.committed")


async def test_during_a_rotation_deliveries_are_signed_with_both_secrets(
    outbox_app: App, receiver: Receiver, clock: WallClock
) -> None:
    endpoint_id = await add(outbox_app, receiver)
    receiver.secrets.insert(0, (await outbox_app.outbox.endpoints.rotate(MODERATOR, endpoint_id)).secret)
    await happen(outbox_app, 1)
    await deliver(outbox_app, clock)
    clock.advance(hours=25)
    await happen(outbox_app, 2)
    await deliver(outbox_app, clock)
    assert receiver.signed_with == [receiver.secrets, receiver.secrets[:1]]


async def test_a_receiver_that_is_dead_for_hours_is_paused_and_loses_nothing(
    outbox_app: App, receiver: Receiver, clock: WallClock
) -> None:
    await add(outbox_app, receiver)
    receiver.answer = fail
    with capture_logs() as logs:
        ids = await happen(outbox_app, *range(1, 40), 1, 2, 3)
        await deliver(outbox_app, clock, hours=1, step=200)
        report = await state_of(outbox_app)
        assert report.endpoint.state is EndpointState.PAUSED
        assert report.endpoint.last_error == "status 503"
        assert report.undelivered == len(ids)
        assert len(receiver.arrived) < 50, "a paused endpoint gets single deliveries only"
        ids = await happen(outbox_app, 1, 50)
        receiver.answer = type(receiver).answer
        await deliver(outbox_app, clock, hours=1, step=200)
    assert sorted(receiver.ids) == sorted(ids)
    assert all(order == sorted(order) for order in subject_orders(receiver.taken).values())
    assert [line["event"] for line in logs if line["event"].startswith("event_endpoint_")] == [
        "event_endpoint_paused",
        "event_endpoint_active",
    ]
    assert (await state_of(outbox_app)).undelivered == 0


async def test_an_answer_that_comes_too_late_does_not_count_and_the_same_body_is_sent_again(
    outbox_app: App, receiver: Receiver, clock: WallClock
) -> None:
    await add(outbox_app, receiver)
    slow = asyncio.Event()

    async def late(event: dict[str, Any]) -> int:
        await slow.wait()
        return 200

    receiver.answer = late
    (event_id,) = await happen(outbox_app, 1)
    await deliver(outbox_app, clock)
    assert (await state_of(outbox_app)).undelivered == 1
    slow.set()
    await deliver(outbox_app, clock, hours=0.01)
    assert [event["id"] for event in receiver.arrived] == [event_id, event_id]
    assert len(receiver.bodies[event_id]) == 1
    assert (await state_of(outbox_app)).undelivered == 0


async def test_a_redirect_is_a_failure_and_is_not_followed(
    outbox_app: App, receiver: Receiver, clock: WallClock
) -> None:
    await add(outbox_app, receiver)

    async def redirect(event: dict[str, Any]) -> int:
        return 307

    receiver.answer = redirect
    await happen(outbox_app, 1)
    await deliver(outbox_app, clock)
    assert (await state_of(outbox_app)).endpoint.last_error == "status 307"


async def test_an_endpoint_that_is_gone_is_disabled_and_continues_where_it_was_when_it_is_resumed(
    outbox_app: App, receiver: Receiver, clock: WallClock
) -> None:
    endpoint_id = await add(outbox_app, receiver)

    async def gone(event: dict[str, Any]) -> int:
        return 410

    receiver.answer = gone
    await happen(outbox_app, 1, 2, 1)
    await deliver(outbox_app, clock, hours=1, step=600)
    report = await state_of(outbox_app)
    assert report.endpoint.state is EndpointState.DISABLED
    assert report.endpoint.disabled_reason == "the receiver answered 410 Gone"
    seen = len(receiver.arrived)
    ids = await happen(outbox_app, 3)
    await deliver(outbox_app, clock, hours=1, step=600)
    assert len(receiver.arrived) == seen
    receiver.answer = type(receiver).answer
    await outbox_app.outbox.endpoints.resume(MODERATOR, endpoint_id)
    await deliver(outbox_app, clock, hours=0.1)
    assert sorted(receiver.ids) == sorted(ids)


async def test_an_endpoint_that_fails_for_three_days_is_disabled_and_nothing_is_given_up(
    outbox_app: App, receiver: Receiver, clock: WallClock
) -> None:
    endpoint_id = await add(outbox_app, receiver)
    receiver.answer = fail
    ids = await happen(outbox_app, 1, 2)
    await deliver(outbox_app, clock, hours=80, step=7200)
    report = await state_of(outbox_app)
    assert (report.endpoint.state, report.dead_letters) == (EndpointState.DISABLED, 0)
    assert report.endpoint.disabled_reason == "all deliveries have failed for three days"
    receiver.answer = type(receiver).answer
    await outbox_app.outbox.endpoints.resume(MODERATOR, endpoint_id)
    await deliver(outbox_app, clock, hours=5, step=1800)
    assert sorted(receiver.ids) == sorted(ids)


async def test_a_single_event_that_is_refused_for_three_days_becomes_a_dead_letter_that_can_be_sent_again(
    outbox_app: App, receiver: Receiver, clock: WallClock
) -> None:
    endpoint_id = await add(outbox_app, receiver)

    async def refuse_one(event: dict[str, Any]) -> int:
        return 400 if event["data"]["userId"].endswith("7") and event["sequence"] == "1" else 200

    receiver.answer = refuse_one
    first, second = await happen(outbox_app, 7, 7)
    for day in range(4):
        await happen(outbox_app, 1)
        await deliver(outbox_app, clock, hours=24, step=3600)
        if day < 3:
            assert second not in receiver.ids, "the next event of the subject waits"
    assert first not in receiver.ids
    assert second in receiver.ids
    letters, has_more = await outbox_app.outbox.endpoints.dead_letters(endpoint_id, 10)
    assert ([str(letter.event_id) for letter in letters], has_more) == ([first], False)
    assert letters[0].last_error == "status 400"
    receiver.answer = type(receiver).answer
    assert await outbox_app.outbox.endpoints.resend(MODERATOR, endpoint_id) == 1
    await deliver(outbox_app, clock)
    assert first in receiver.ids
    assert (await state_of(outbox_app)).dead_letters == 0


async def test_one_refused_event_does_not_keep_others_from_a_paused_endpoint(
    outbox_app: App, receiver: Receiver, clock: WallClock
) -> None:
    await add(outbox_app, receiver)

    async def refuse_one(event: dict[str, Any]) -> int:
        return 500 if event["sequence"] == "1" else 200

    receiver.answer = refuse_one
    await happen(outbox_app, 7)
    await deliver(outbox_app, clock, hours=8, step=3000)
    assert (await state_of(outbox_app)).endpoint.state is EndpointState.PAUSED
    ids = await happen(outbox_app, 1, 2, 3)
    await deliver(outbox_app, clock, hours=1, step=200)
    assert sorted(receiver.ids) == sorted(ids[1:])


async def test_removing_an_endpoint_says_what_is_lost(outbox_app: App, receiver: Receiver, clock: WallClock) -> None:
    endpoint_id = await add(outbox_app, receiver)
    receiver.answer = fail
    await happen(outbox_app, 1, 2, 1)
    await deliver(outbox_app, clock)
    removed = await outbox_app.outbox.endpoints.remove(MODERATOR, endpoint_id)
    assert (removed.undelivered, removed.dead_letters) == (3, 0)
    assert await rows(outbox_app, "SELECT position FROM event_deliveries") == []
    with pytest.raises(BadUserInput, match="There is no endpoint"):
        await outbox_app.outbox.endpoints.remove(MODERATOR, endpoint_id)


async def test_events_that_are_deleted_before_they_are_delivered_are_counted(
    outbox_app: App, receiver: Receiver, clock: WallClock
) -> None:
    endpoint_id = await add(outbox_app, receiver)
    await outbox_app.outbox.endpoints.disable(MODERATOR, endpoint_id)
    await happen(outbox_app, 1, 2)
    async with outbox_app.database.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM events")
    await happen(outbox_app, 3)
    await outbox_app.outbox.endpoints.resume(MODERATOR, endpoint_id)
    await deliver(outbox_app, clock)
    assert len(receiver.taken) == 1
    assert (await state_of(outbox_app)).endpoint.lost == 2


async def test_private_addresses_are_not_called_unless_the_settings_allow_them(
    settings: Settings, receiver: Receiver, clock: WallClock
) -> None:
    async with opened(settings, clock, housekeeping=False, loaded=False) as app:
        await add(app, receiver)
        await happen(app, 1)
        await deliver(app, clock)
        assert "which is not in the Internet" in (await state_of(app)).endpoint.last_error
    assert receiver.arrived == []


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_a_receiver_does_nothing_is_lost_and_subjects_keep_their_order(
    outbox_app: App, receiver: Receiver, clock: WallClock, seed: int
) -> None:
    """A receiver that fails, takes an event and says otherwise, or is dead for a while, at random."""
    random = Random(seed)
    is_dead = False

    async def misbehave(event: dict[str, Any]) -> int:
        what = random.random()
        if is_dead or what < 0.25:
            return random.choice((302, 400, 429, 500, 503))
        if what < 0.35:
            receiver.taken.append(event)
            return 500
        return random.choice((200, 202, 204))

    receiver.answer = misbehave
    await add(outbox_app, receiver)
    ids: list[str] = []
    for _ in range(12):
        is_dead = random.random() < 0.2
        ids = await happen(outbox_app, *(random.randrange(1, 6) for _ in range(random.randrange(8))))
        await deliver(outbox_app, clock, hours=random.random() / 5, step=random.choice((5, 60, 300)))
    receiver.answer = type(receiver).answer
    await deliver(outbox_app, clock, hours=10, step=3600)
    assert set(receiver.ids) == set(ids)
    assert all(order == sorted(order) for order in subject_orders(receiver.taken).values())
    assert all(len(bodies) == 1 for bodies in receiver.bodies.values())
    report = await state_of(outbox_app)
    assert (report.undelivered, report.dead_letters, report.endpoint.state) == (0, 0, EndpointState.ACTIVE)
