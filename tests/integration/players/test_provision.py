"""Users are looked up together, and judged each by themselves."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import event, text

from app.domain.errors import Forbidden, UserNotFound
from app.wiring import App
from tests.support.service import caller


async def test_many_users_after_a_restart_are_looked_up_together(app: App):
    crowd = [caller(f"player {number}") for number in range(100)]
    await asyncio.gather(*map(app.users.ensure, crowd))
    app.users.invalidate_all()
    lent: list[object] = []
    event.listen(app.database.engine.sync_engine.pool, "checkout", lambda *connection: lent.append(connection))
    await asyncio.gather(*map(app.users.ensure, crowd))
    assert len(lent) <= 10  # Two, and those that jobs use meanwhile.
    await asyncio.gather(*map(app.users.ensure, crowd))
    assert len(lent) <= 10  # Two, and those that jobs use meanwhile.


async def test_each_user_of_a_batch_gets_their_own_result(app: App):
    known, renamed, deleted = caller("known"), caller("before"), caller("deleted")
    await asyncio.gather(*map(app.users.ensure, (known, renamed, deleted)))
    async with app.database.begin() as connection:
        await connection.execute(
            text("UPDATE users SET deleted_at = now(), username = 'gone', claimed_username = 'gone' WHERE id = :id"),
            {"id": deleted.user_id},
        )
    app.users.invalidate_all()
    crowd = (known, replace(renamed, username="after"), deleted, new := caller("new"), new)
    answers = await asyncio.gather(*map(app.users.ensure, crowd), return_exceptions=True)
    assert list(map(type, answers)) == [type(None), type(None), Forbidden, type(None), type(None)]
    async with app.database.connect() as connection:
        names = (await connection.execute(text("SELECT username FROM users ORDER BY username"))).scalars().all()
    assert names == ["after", "gone", "known", "new"]


async def test_a_cancelled_caller_does_not_cancel_the_look_up_of_others(app: App):
    crowd = [caller(f"player {number}") for number in range(3)]
    tasks = [asyncio.create_task(app.users.ensure(one)) for one in crowd]
    await asyncio.sleep(0)
    tasks[1].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert list(map(type, answers)) == [type(None), asyncio.CancelledError, type(None)]


async def test_without_provisioning_an_unknown_user_is_refused(app: App):
    app.users._auto_provision = False
    with pytest.raises(UserNotFound):
        await app.users.ensure(caller("stranger"))


@pytest.mark.parametrize("other", ["ADA", "\u0410da", "A da"])
async def test_a_name_that_looks_like_another_players_gets_a_suffix(app: App, other: str):
    ada, imitator = caller("Ada"), caller(other)
    await app.users.ensure(ada)
    await app.users.ensure(imitator)
    profiles = await app.profiles.get([ada.user_id, imitator.user_id])
    assert profiles[ada.user_id].username == "Ada"
    assert profiles[imitator.user_id].username == f"{other}-{imitator.user_id.hex[:4]}"


async def test_a_name_is_free_again_when_its_owner_has_another_one(app: App):
    ada, successor = caller("Ada"), caller("ada")
    await app.users.ensure(ada)
    await app.users.ensure(replace(ada, username="Grace"))
    await app.users.ensure(successor)
    assert (await app.profiles.get([successor.user_id]))[successor.user_id].username == "ada"


async def test_a_player_may_change_the_case_of_the_own_name(app: App):
    ada = caller("ada")
    await app.users.ensure(ada)
    await app.users.ensure(replace(ada, username="Ada"))
    assert (await app.profiles.get([ada.user_id]))[ada.user_id].username == "Ada"
