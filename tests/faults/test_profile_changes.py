"""A changed name is shown by all instances, whatever happens between its commit and its announcement."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.domain.catalogue.changes import Document
from app.domain.errors import ServiceUnavailable
from app.domain.ledger.transactions import Actor
from app.domain.users import HIDDEN_USERNAME, Caller, Role
from app.wiring import App
from tests.support.service import caller, opened, settings_for
from tests.support.stores import BreakableServer, unanswered_commits
from tests.support.wait_until import until, until_answer

MODERATOR = Actor(uuid4(), Role.MODERATOR.value)
FAIL_AT_COMMIT = """
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
    CREATE CONSTRAINT TRIGGER fail AFTER UPDATE ON users DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION fail()
"""

Change = Callable[[App, Caller], Awaitable[object]]


async def rename(app: App, user: Caller) -> None:
    await app.users.ensure(replace(user, username="alicia"))


async def hide(app: App, user: Caller) -> None:
    await app.moderation.visibility.hide(MODERATOR, user.user_id, "a bot")


async def delete(app: App, user: Caller) -> None:
    await app.moderation.deletion(MODERATOR, user.user_id, "on request")


async def shown_name(app: App, user: Caller) -> str:
    return (await app.profiles.get([user.user_id]))[user.user_id].username


@pytest.mark.parametrize(
    ("change", "name"),
    [
        pytest.param(rename, "alicia", id="rename"),
        pytest.param(hide, HIDDEN_USERNAME, id="hide"),
        pytest.param(delete, "deleted-{id}", id="delete"),
    ],
)
async def test_a_change_whose_commit_got_no_answer_is_announced_to_all_instances(
    postgres_server: BreakableServer, redis_url: str, change: Change, name: str
):
    settings = settings_for(postgres_server.url, redis_url)
    async with opened(settings, housekeeping=True) as one, opened(settings, housekeeping=False) as other:
        alice = caller("alice")
        await one.users.ensure(alice)
        assert [await shown_name(app, alice) for app in (one, other)] == ["alice", "alice"]
        async with unanswered_commits(postgres_server.url):
            with pytest.raises(ServiceUnavailable):
                await change(one, alice)
        for app in (one, other):
            await until_answer(lambda app=app: shown_name(app, alice), name.format(id=alice.user_id).__eq__)  # type: ignore[misc]


async def test_a_player_whose_hiding_failed_keeps_the_name(postgres_server: BreakableServer, redis_url: str):
    settings = settings_for(postgres_server.url, redis_url)
    async with opened(settings, housekeeping=False) as one, opened(settings, housekeeping=False) as other:
        alice = caller("alice")
        await one.users.ensure(alice)
        async with one.database.begin() as connection:
            for statement in FAIL_AT_COMMIT.split(";\n"):
                await connection.execute(text(statement))
        with pytest.raises(Exception, match="not today"):
            await hide(one, alice)
        for app in (one, other):
            app.profiles.invalidate_all()
            assert await shown_name(app, alice) == "alice"


async def test_changes_that_were_announced_in_the_wrong_order_are_repaired(database_url: str, redis_url: str):
    settings = settings_for(database_url, redis_url)
    async with opened(settings, housekeeping=False) as one, opened(settings, housekeeping=False) as other:
        alice = caller("alice")
        await one.users.ensure(alice)
        old = (await one.profiles.get([alice.user_id]))[alice.user_id]
        await rename(one, alice)
        await other.profiles.store(old)  # The announcement of an earlier change, which was delayed.
        assert await shown_name(other, alice) == "alice"
        assert await until_answer(one.profile_changes.repeat, bool) == 1
        for app in (one, other):
            await until_answer(lambda app=app: shown_name(app, alice), "alicia".__eq__)  # type: ignore[misc]
        assert await one.profile_changes.repeat() == 0


async def test_a_category_whose_commit_got_no_answer_is_known_to_all_instances(
    postgres_server: BreakableServer, redis_url: str
):
    settings = settings_for(postgres_server.url, redis_url)
    speedruns: Document = {"id": "speedruns", "name": "Speedruns"}
    async with opened(settings, housekeeping=False) as one, opened(settings, housekeeping=False) as other:
        async with unanswered_commits(postgres_server.url):
            with pytest.raises(ServiceUnavailable):
                await one.catalogue_changes.apply([speedruns], [], MODERATOR, "new")
        for app in (one, other):
            await until(lambda app=app: "speedruns" in app.catalogue.current.categories, timeout=25)  # type: ignore[misc]
