"""Players are found by the beginning of their names."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import text

from app.domain.ledger.transactions import Actor
from app.domain.users import Caller, Role
from app.wiring import App
from tests.support.boards.award_points import enlist
from tests.support.boards.board_rows import user_id
from tests.support.graphql.schema_client import Asker

SEARCH = "query Search($search: String!, $first: Int) { players(search: $search, first: $first) { id username } }"
NAMES = ["Élodie", "elodie2", "Elo", "ELECTRA", "Zoë", "Жанна", "%wild", "under_score", "ångström", "a" * 60]


@pytest.fixture
async def app_with_names(app: App) -> App:
    await enlist(app, *range(1, len(NAMES) + 1))
    async with app.database.begin() as connection:
        for number, name in enumerate(NAMES, 1):
            rename = text("UPDATE users SET username = :name WHERE id = :id")
            await connection.execute(rename, {"name": name, "id": user_id(number)})
    return app


async def found(app: App, search: str, first: int | None = None) -> list[str]:
    return [one["username"] for one in (await Asker(app).ask(SEARCH, search=search, first=first))["players"]]


async def test_case_and_accents_do_not_matter(app_with_names: App):
    assert await found(app_with_names, "elo") == ["Elo", "Élodie", "elodie2"]
    assert await found(app_with_names, "ÉLO") == ["Elo", "Élodie", "elodie2"]
    assert await found(app_with_names, "zoe") == ["Zoë"]
    assert await found(app_with_names, "жан") == ["Жанна"]
    assert await found(app_with_names, "Angstrom") == ["ångström"]


async def test_only_beginnings_are_found_and_no_character_is_special(app_with_names: App):
    assert await found(app_with_names, "lodie") == []
    assert await found(app_with_names, "%") == ["%wild"]
    assert await found(app_with_names, "under_") == ["under_score"]
    assert await found(app_with_names, "_") == await found(app_with_names, "\\") == []
    assert await found(app_with_names, "\u0301") == []
    assert await found(app_with_names, "a" * 60) == ["a" * 60]


async def test_as_many_as_asked_for_are_returned(app_with_names: App):
    assert await found(app_with_names, "el", 2) == ["ELECTRA", "Elo"]
    asker = Asker(app_with_names)
    for search, first in (("", 1), (" ", 1), ("a" * 61, 1), ("a", 0), ("a", 51)):
        assert await asker.fails(SEARCH, search=search, first=first) == "BAD_USER_INPUT"


async def test_hidden_and_deleted_players_are_not_found_by_anybody(app_with_names: App):
    app, moderator = app_with_names, Actor(None, "moderator")
    await app.moderation.visibility.hide(moderator, user_id(5), "a bot")
    await app.moderation.deletion(moderator, user_id(6), "asked")
    who = Caller(user_id(7), "moderator", None, Role.MODERATOR, int(time.time()) + 3600)
    for asker in (Asker(app), Asker(app, who)):
        for search in ("zoe", "Hidden", "жан", "deleted"):
            assert (await asker.ask(SEARCH, search=search))["players"] == []


async def test_the_index_finds_them(app_with_names: App):
    async with app_with_names.database.begin() as connection:
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        await connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = await connection.execute(
            text(
                "EXPLAIN SELECT id FROM users WHERE hidden_at IS NULL AND deleted_at IS NULL "
                "AND name_for_search(username) ~>=~ name_for_search('elo') "
                "AND name_for_search(username) ~<~ (name_for_search('elo') || chr(1114111)) "
                "ORDER BY name_for_search(username) USING ~<~, id LIMIT 10"
            )
        )
        lines = "\n".join(plan.scalars())
    assert "ix_users_name_for_search" in lines
    assert "Index Cond" in lines
    assert "Sort" not in lines
