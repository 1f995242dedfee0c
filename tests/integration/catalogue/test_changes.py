"""Changing the catalogue while the service runs, and what its options do all the way to the boards."""

import asyncio
from typing import Any

import pytest

from app.config import Settings
from app.domain.boards.board import Board, Page, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.errors import BadUserInput, InvalidAction
from app.domain.ledger.transactions import Actor
from app.domain.users import Caller, Role
from app.runtime import Runtime
from app.services.board_index import BoardNotLoaded
from app.services.boards.postgres_reader import PostgresReader
from app.services.boards.redis_reader import RedisReader
from app.wiring import App
from tests.support.boards.board_pages import read_page
from tests.support.boards.board_rows import board_index_of
from tests.support.boards.ledgers import award, breaches, rows
from tests.support.graphql.schema_client import Asker
from tests.support.service import caller, opened
from tests.support.wait_until import TIMEOUT, until

SAVE_CATEGORY = """
mutation Save($input: SaveCategoryInput!) {
  saveCategory(input: $input) { id name sortOrder operator scoreCap scoreFormat { kind digits unit } periods enabled }
}
"""
SAVE_ACTION = """
mutation Save($input: SaveActionInput!) {
  saveAction(input: $input) { id points difficulties { name points } dailyLimit cooldown enabled category { id } }
}
"""
CHANGES = """
query Changes($first: Int, $after: String) {
  catalogueChanges(first: $first, after: $after) {
    nodes { id subject subjectId before after actorId reason changedAt } pageInfo { hasNextPage endCursor }
  }
}
"""
RACES = {"id": "races", "name": "Races", "reason": "A new season"}
OPERATOR = Actor(None, "operator")


def moderator(app: App) -> Asker:
    return Asker(app, caller("moderator", Role.MODERATOR))


async def save(app: App, *categories: dict[str, Any], actions: list[dict[str, Any]] | None = None) -> None:
    await app.catalogue_changes.apply(categories, actions or [], OPERATOR, "for the test")
    await app.rebuild.ensure_loaded()


async def test_a_moderator_creates_a_category_and_an_action_and_a_player_claims_it(app: App):
    saved = await moderator(app).ask(SAVE_CATEGORY, input=RACES | {"scoreCap": 500, "periods": ["DAILY"]})
    assert saved["saveCategory"] == {
        "id": "races",
        "name": "Races",
        "sortOrder": "HIGH_FIRST",
        "operator": "SUM",
        "scoreCap": 500,
        "scoreFormat": {"kind": "INTEGER", "digits": None, "unit": None},
        "periods": ["ALL_TIME", "DAILY"],
        "enabled": True,
    }
    saved = await moderator(app).ask(
        SAVE_ACTION,
        input={
            "id": "WIN_RACE",
            "name": "Win a race",
            "category": "races",
            "points": 40,
            "difficulties": [{"name": "hard", "points": 100}],
            "reason": "A new season",
        },
    )
    assert saved["saveAction"]["difficulties"] == [{"name": "hard", "points": 100}]
    alice = caller()
    receipt = await app.submit_score(alice, (await app.issue_token(alice, "WIN_RACE", "hard")).token)
    assert (receipt.category, receipt.new_score) == ("races", 100)
    assert sorted(row.period for row in await rows(app, "SELECT period FROM scores")) == ["ALL_TIME", "DAILY"]


async def test_a_change_is_in_force_on_every_instance_without_a_restart(settings: Settings):
    async with opened(settings) as one, opened(settings) as other:
        await save(one, {"id": "races", "name": "Races"})
        await until(lambda: "races" in other.catalogue.current.categories)
        await save(one, actions=[{"id": "COMPLETE_QUIZ", "enabled": False}])
        await until(lambda: not other.catalogue.current.actions["COMPLETE_QUIZ"].enabled)
        with pytest.raises(InvalidAction):
            await other.issue_token(caller(), "COMPLETE_QUIZ")


async def test_a_new_category_is_in_redis_soon_after_without_anybody_playing(settings: Settings):
    async with opened(settings) as one:
        await one.catalogue_changes.apply([{"id": "races", "name": "Races"}], [], OPERATOR, "test")
        reader = RedisReader(board_index_of(one), one.profiles, Runtime(clock=one.clock))
        board = board_of("races", Period.ALL_TIME, one.clock())
        async with asyncio.timeout(TIMEOUT):
            while not await is_in_redis(reader, board):  # noqa: ASYNC110  a rebuild by whichever instance has no event
                await asyncio.sleep(0.02)


async def is_in_redis(reader: RedisReader, board: Board) -> bool:
    try:
        await reader.read(board, [Slice(0, 1)])
    except BoardNotLoaded:
        return False
    return True


async def test_an_action_that_is_switched_off_pays_no_open_token(app: App):
    alice = caller()
    token = (await app.issue_token(alice, "COMPLETE_LEVEL")).token
    await save(app, actions=[{"id": "COMPLETE_LEVEL", "enabled": False}])
    with pytest.raises(InvalidAction):
        await app.submit_score(alice, token)
    await save(app, actions=[{"id": "COMPLETE_LEVEL", "enabled": True}])
    assert (await app.submit_score(alice, token)).new_score == 50


async def test_a_category_that_is_switched_off_stays_readable_and_pays_nothing(app: App):
    alice = caller()
    await award(app, alice, 20, "arcade")
    await save(app, {"id": "arcade", "enabled": False})
    with pytest.raises(InvalidAction):
        await app.issue_token(alice, "ARCADE_RUN")
    page = await read_page(app, category="arcade")
    assert [entry.score for entry in page.entries] == [20]


async def test_players_and_servers_change_nothing(app: App):
    for who in (Role.PLAYER, Role.SERVER):
        asker = Asker(app, caller("somebody", who))
        assert await asker.fails(SAVE_CATEGORY, input=RACES) == "FORBIDDEN"
        assert await asker.fails(SAVE_ACTION, input={"id": "QUIZ", "reason": "why not"}) == "FORBIDDEN"
        assert await asker.fails(CHANGES) == "FORBIDDEN"
    assert await Asker(app).fails(SAVE_CATEGORY, input=RACES) == "UNAUTHENTICATED"
    assert await rows(app, "SELECT * FROM catalogue_changes") == []


async def test_every_change_is_recorded_with_actor_reason_and_both_states(app: App):
    who: Caller = caller("moderator", Role.MODERATOR)
    asker = Asker(app, who)
    await asker.ask(SAVE_CATEGORY, input=RACES)
    await asker.ask(SAVE_CATEGORY, input={"id": "races", "name": "Racing", "reason": "A better name"})
    await asker.ask(SAVE_CATEGORY, input={"id": "races", "name": "Racing", "reason": "The same again"})
    newest, first = (await asker.ask(CHANGES))["catalogueChanges"]["nodes"]
    assert (newest["subject"], newest["subjectId"], newest["reason"]) == ("CATEGORY", "races", "A better name")
    assert (newest["before"]["name"], newest["after"]["name"]) == ("Races", "Racing")
    assert (first["before"], first["actorId"]) == (None, str(who.user_id))
    page = (await asker.ask(CHANGES, first=1))["catalogueChanges"]
    assert (page["nodes"], page["pageInfo"]["hasNextPage"]) == ([newest], True)
    page = (await asker.ask(CHANGES, after=page["pageInfo"]["endCursor"]))["catalogueChanges"]
    assert (page["nodes"], page["pageInfo"]["hasNextPage"]) == ([first], False)
    assert await asker.fails(CHANGES, first=0) == "BAD_USER_INPUT"
    assert await asker.fails(CHANGES, after="yesterday") == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "given",
    [
        {"id": "Races"},
        {"scoreCap": 0},
        {"scoreFormat": None},
        {"scoreFormat": {"kind": "DECIMAL"}},
        {"scoreFormat": {"kind": "INTEGER", "digits": 2}},
        {"scoreFormat": {"kind": "INTEGER", "unit": "a unit that is too long"}},
        {"name": None},
        {"name": ""},
    ],
)
async def test_an_invalid_change_is_bad_input(app: App, given: dict[str, Any]):
    assert await moderator(app).fails(SAVE_CATEGORY, input=RACES | given) == "BAD_USER_INPUT"


async def test_a_score_format_can_be_changed_at_any_time_and_entries_are_written_in_it(app: App):
    asker, board = moderator(app), '{ leaderboard(category: "arcade") { entries { formattedScore } } }'
    await award(app, caller("alice"), 83_250, "arcade")
    for given, shown in (
        ({"kind": "DURATION_MS"}, "1:23.250"),
        ({"kind": "DECIMAL", "digits": 2, "unit": "m"}, "832.50 m"),
        ({"kind": "INTEGER"}, "83,250"),
    ):
        saved = await asker.ask(SAVE_CATEGORY, input={"id": "arcade", "scoreFormat": given, "reason": "test"})
        assert saved["saveCategory"]["scoreFormat"] == {"digits": None, "unit": None} | given
        assert (await asker.ask(board))["leaderboard"]["entries"] == [{"formattedScore": shown}]
    documents = await app.catalogue_changes.documents()
    (arcade,) = (document for document in documents["categories"] if document["id"] == "arcade")
    assert arcade["scoreFormat"] == {"kind": "INTEGER", "digits": None, "unit": None}


async def test_all_of_a_file_is_applied_or_nothing(app: App):
    good = {"id": "races", "name": "Races"}
    with pytest.raises(BadUserInput) as refusal:
        await save(
            app,
            good,
            {"id": "Bad", "name": "Bad"},
            actions=[{"id": "A", "name": "A", "points": 5, "category": "nowhere"}, {"id": "B", "name": "B"}],
        )
    assert refusal.value.message.count("\n") == 2, "every problem is told"
    assert "races" not in app.catalogue.current.categories
    with pytest.raises(BadUserInput, match="must be given only once"):
        await save(app, good, good)
    await save(app, good, actions=[{"id": "A", "name": "A", "points": 5, "category": "races"}])
    assert app.catalogue.current.action("A").points == 5


async def test_order_and_operator_are_fixed_once_there_are_scores(app: App):
    await save(app, {"id": "races", "name": "Races"})
    with pytest.raises(BadUserInput, match="must be disabled"):
        await save(app, {"id": "races", "sortOrder": "LOW_FIRST"})
    await save(app, {"id": "races", "enabled": False})
    await save(app, {"id": "races", "sortOrder": "LOW_FIRST", "operator": "BEST", "enabled": True})
    await award(app, caller(), 60, "races")
    await save(app, {"id": "races", "enabled": False})
    for given in ({"sortOrder": "HIGH_FIRST"}, {"operator": "SUM"}):
        with pytest.raises(BadUserInput, match="once there are scores"):
            await save(app, {"id": "races"} | given)


async def test_the_shards_of_a_category_are_fixed_when_it_is_made(app: App):
    with pytest.raises(BadUserInput, match="`shards` must be a whole number from 1 to 16"):
        await save(app, {"id": "races", "name": "Races", "shards": 17})
    await save(app, {"id": "races", "name": "Races", "shards": 3})
    assert (app.catalogue.current.category("races").shards, app.catalogue.shard_count("races")) == (3, 3)
    await save(app, {"id": "races", "name": "More races", "shards": 3})
    with pytest.raises(BadUserInput, match="must be changed with `leaderboard split`"):
        await save(app, {"id": "races", "shards": 2})


async def test_a_cap_is_never_below_a_score(app: App):
    await award(app, caller(), 60, "arcade")
    with pytest.raises(BadUserInput, match="must be at least 60"):
        await save(app, {"id": "arcade", "scoreCap": 59})
    await save(app, {"id": "arcade", "scoreCap": 60})
    assert (await award(app, caller(), 100, "arcade")).new_score == 60


async def test_concurrent_changes_are_not_lost(app: App):
    await asyncio.gather(
        save(app, {"id": "arcade", "name": "Arcades"}),
        save(app, {"id": "arcade", "description": "Faster games."}),
        save(app, {"id": "arcade", "scoreCap": 777}),
    )
    category = app.catalogue.current.category("arcade")
    assert (category.name, category.description, category.score_cap) == ("Arcades", "Faster games.", 777)


async def boards_of(app: App, category: str, period: Period = Period.ALL_TIME) -> list[tuple[str, int]]:
    """The board, which Redis and PostgreSQL must tell alike."""
    await app.ledger.drain()
    board = board_of(category, period, app.clock())
    readers = (
        RedisReader(board_index_of(app), app.profiles, Runtime(clock=app.clock)),
        PostgresReader(app.database, app.database, app.database, app.profiles, Runtime(clock=app.clock), "postgres"),
    )
    redis, postgres = [(await reader.read(board, [Slice(0, 100)]))[0] for reader in readers]
    assert isinstance(redis, Page)
    assert isinstance(postgres, Page)
    assert redis.entries == postgres.entries
    return [(entry.user.username, entry.score) for entry in redis.entries]


async def test_where_the_lowest_leads_every_store_puts_it_first(app: App):
    await save(app, {"id": "races", "name": "Races", "sortOrder": "LOW_FIRST", "operator": "BEST"})
    ann, bob, cat = caller("ann"), caller("bob"), caller("cat")
    for who, seconds in ((ann, 62), (bob, 60), (cat, 61), (ann, 59), (bob, 75)):
        await award(app, who, seconds, "races")
    assert await boards_of(app, "races") == [("ann", 59), ("bob", 60), ("cat", 61)]
    assert await boards_of(app, "races", Period.DAILY) == [("ann", 59), ("bob", 60), ("cat", 61)]
    assert await breaches(app) == []


async def test_who_only_repeats_a_best_keeps_the_seniority_and_who_improves_goes_behind_equals(app: App):
    await save(app, {"id": "jumps", "name": "Jumps", "operator": "BEST"})
    ann, bob = caller("ann"), caller("bob")
    for who, metres in ((ann, 7), (bob, 7), (ann, 7), (ann, 5)):
        await award(app, who, metres, "jumps")
    assert await boards_of(app, "jumps") == [("ann", 7), ("bob", 7)]
    await award(app, bob, 8, "jumps")
    await award(app, ann, 8, "jumps")
    assert await boards_of(app, "jumps") == [("bob", 8), ("ann", 8)]


async def test_where_the_latest_counts_a_score_goes_down_as_well(app: App):
    await save(app, {"id": "form", "name": "Form", "operator": "LATEST"})
    ann, bob = caller("ann"), caller("bob")
    for who, form in ((ann, 90), (bob, 70), (ann, 40)):
        await award(app, who, form, "form")
    assert await boards_of(app, "form") == [("bob", 70), ("ann", 40)]
    assert await breaches(app) == []


async def test_only_the_periods_of_a_category_have_boards(app: App):
    await save(app, {"id": "weekly", "name": "Weekly", "periods": ["WEEKLY"]})
    await award(app, caller("ann"), 5, "weekly")
    assert await boards_of(app, "weekly", Period.WEEKLY) == [("ann", 5)]
    with pytest.raises(BadUserInput):
        app.board_queries.category("weekly", Period.DAILY)


async def test_a_period_that_is_switched_on_begins_with_what_comes_then(app: App):
    await save(app, {"id": "races", "name": "Races", "periods": []})
    ann = caller("ann")
    await award(app, ann, 5, "races")
    await save(app, {"id": "races", "periods": ["DAILY"]})
    await award(app, ann, 6, "races")
    assert await boards_of(app, "races") == [("ann", 11)]
    assert await boards_of(app, "races", Period.DAILY) == [("ann", 6)]


@pytest.mark.parametrize(
    ("operator", "order", "expected"),
    [("SUM", "HIGH_FIRST", 5050), ("BEST", "HIGH_FIRST", 100), ("BEST", "LOW_FIRST", 1)],
)
async def test_a_hundred_awards_at_once_on_two_instances_end_at_the_exact_score(
    settings: Settings, operator: str, order: str, expected: int
):
    async with opened(settings) as one, opened(settings) as other:
        await save(one, {"id": "races", "name": "Races", "operator": operator, "sortOrder": order})
        await other.catalogue.refresh()
        ann = caller("ann")
        await one.users.ensure(ann)
        awards = [award((one, other)[points % 2], ann, points, "races") for points in range(1, 101)]
        # A claim that meets another instance's over and over is asked to come back: nothing was paid for it.
        outcomes = await asyncio.gather(*awards, return_exceptions=True)
        for points, outcome in enumerate(outcomes, 1):
            if isinstance(outcome, BaseException):
                await award(one, ann, points, "races")
        assert await boards_of(one, "races") == [("ann", expected)]
        assert await boards_of(one, "races", Period.MONTHLY) == [("ann", expected)]
        assert len(await rows(one, "SELECT * FROM score_transactions")) == 100
        assert await breaches(one) == []
