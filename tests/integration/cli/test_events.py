"""The commands `leaderboard events`, as an operator types them."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from app.config import Settings
from app.domain.events.event import EventType
from app.domain.events.facts import user_changed
from app.models.statements.events.committed_events import insert_events
from app.runtime import utc_now
from app.wiring import App
from tests.integration.cli.conftest import Leaderboard
from tests.support.boards.ledgers import rows
from tests.support.events import checked, recorded
from tests.support.service import opened

URL = "https://game.example/events"


async def happen(app: App, *users: int) -> None:
    async with app.database.begin() as connection:
        events = [(uuid4(), user_changed(EventType.USER_HIDDEN, UUID(int=user), utc_now())) for user in users]
        await insert_events(connection, events)
    await recorded(app)


async def test_an_endpoint_is_managed_and_removing_it_says_what_is_lost(
    settings: Settings, leaderboard: Leaderboard, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(settings, housekeeping=False, loaded=False) as app:
        assert await leaderboard("events", "endpoints", "add", URL, "--type", "user.hidden") == 0
        secret = capfd.readouterr().out.strip()
        assert secret.startswith("whsec_")
        (endpoint,) = await rows(app, "SELECT id, secret FROM event_endpoints")
        assert endpoint.secret == secret
        await happen(app, 1, 2)
        assert await leaderboard("events", "endpoints", "list") == 0
        assert "active" in capfd.readouterr().out
        assert await leaderboard("events", "endpoints", "rotate", endpoint.id) == 0
        assert capfd.readouterr().out.strip() not in (secret, "")
        assert await leaderboard("events", "endpoints", "disable", endpoint.id) == 0
        assert await leaderboard("events", "endpoints", "resume", endpoint.id) == 0
        assert "2 events are to be delivered" in capfd.readouterr().out
        assert await leaderboard("events", "replay", endpoint.id, "--since", "1h") == 0
        assert f"2 events are to be delivered to {URL}" in capfd.readouterr().out
        assert await leaderboard("events", "endpoints", "dead-letters", endpoint.id) == 0
        assert await leaderboard("events", "endpoints", "resend", endpoint.id) == 0
        assert "0 dead letters" in capfd.readouterr().out
        assert await leaderboard("events", "endpoints", "remove", endpoint.id, "--yes") == 0
        assert "lost: 2 undelivered events, 0 dead letters" in capfd.readouterr().out
        assert await leaderboard("events", "endpoints", "remove", endpoint.id, "--yes") == 1
        assert capfd.readouterr().err == "leaderboard: There is no endpoint with this id.\n"


async def test_events_are_printed_as_receivers_get_them(
    settings: Settings, leaderboard: Leaderboard, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(settings, housekeeping=False, loaded=False) as app:
        await happen(app, 1, 2, 1)
    assert await leaderboard("events", "tail", "--since", "1h", "--no-follow") == 0
    printed = [checked(line) for line in capfd.readouterr().out.splitlines()]
    assert [event["sequence"] for event in printed] == ["1", "2", "3"]
    assert await leaderboard("events", "tail", "--since", "1h", "--no-follow", "--type", "user.deleted") == 0
    assert await leaderboard("events", "tail", "--no-follow") == 0
    assert capfd.readouterr().out == ""
    assert await leaderboard("events", "tail", "--since", "yesterday", "--no-follow") == 2
    assert "it must be like 90s" in capfd.readouterr().err


async def test_wrong_arguments_are_explained(
    leaderboard: Leaderboard, capfd: pytest.CaptureFixture[str], settings: Settings
) -> None:
    assert await leaderboard("events", "endpoints", "add", "nowhere") == 1
    assert "`url` must be a URL" in capfd.readouterr().err
    assert await leaderboard("events", "endpoints", "add", URL, "--type", "user.renamed") == 1
    assert "There is no type 'user.renamed'" in capfd.readouterr().err
