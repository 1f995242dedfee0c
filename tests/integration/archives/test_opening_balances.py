"""Opening balances: another system's board becomes the beginning of a board here, once."""

from datetime import UTC, datetime

import pytest

from app.domain.boards.periods import Period
from app.domain.ledger.opening import Balance
from app.domain.ledger.transactions import Actor
from app.domain.users import SubjectIds
from app.services.archives.balance_file import BalanceError, read_csv, read_json
from app.services.archives.opening_balances import OpeningResult
from app.wiring import App
from tests.support.boards.board_pages import read_page
from tests.support.boards.ledgers import MODERATOR, award, breaches, rows
from tests.support.service import caller

NOW = datetime(2026, 11, 20, tzinfo=UTC)
CSV = """user,username,score,reached_at
ann,Ann,300,2025-01-02T03:04:05Z
bob,Bob,300,2024-01-02T03:04:05+00:00
cat,Cat,900,
"""


def balances(text: str = CSV) -> list[Balance]:
    return list(read_csv(text.splitlines(keepends=True), SubjectIds("leaderboard"), 1_000_000, NOW))


async def opened_with(app: App, given: list[Balance], category: str = "global") -> OpeningResult:
    outcome = await app.opening_balances(category, given, "from the old board", lambda _: None)
    await app.rebuild.rebuild(app.catalogue.current.category(category), force=True)
    return outcome


async def board(app: App, category: str = "global", period: Period = Period.ALL_TIME) -> list[tuple[str, int]]:
    app.hub.invalidate()
    page = await read_page(app, 100, category, period)
    return [(entry.user.username, entry.score) for entry in page.entries]


async def test_the_board_begins_as_the_other_one_ended_ties_included(app: App):
    assert await opened_with(app, balances()) == OpeningResult(3, 0)
    assert await board(app) == [("Cat", 900), ("Bob", 300), ("Ann", 300)]
    assert await board(app, period=Period.DAILY) == [], "what was won elsewhere was not won today"
    assert await breaches(app) == []


async def test_a_second_import_changes_nothing(app: App):
    await opened_with(app, balances())
    before = await rows(app, "SELECT * FROM score_transactions")
    assert await opened_with(app, balances()) == OpeningResult(0, 3)
    assert await rows(app, "SELECT * FROM score_transactions") == before


async def test_a_balance_is_added_to_what_was_won_since(app: App):
    who = caller("Ann")
    ann = type(who)(SubjectIds("leaderboard").user_id("ann"), "Ann", None, who.role, who.expires_at)
    await award(app, ann, 50)
    await opened_with(app, balances())
    await award(app, ann, 7)
    assert ("Ann", 357) in await board(app)
    assert await board(app, period=Period.DAILY) == [("Ann", 57)]
    assert await breaches(app) == []


async def test_without_a_time_who_comes_first_in_the_file_stands_first(app: App):
    lines = "user,score\n" + "".join(f"user {n:04},10\n" for n in (*range(999, 0, -1), *range(1000, 1200)))
    assert await opened_with(app, balances(lines)) == OpeningResult(1199, 0)
    names = [name for name, _ in await board(app)]
    assert names == [f"user {n:04}" for n in range(999, 899, -1)]


async def test_in_a_category_of_best_results_the_better_one_counts(app: App):
    race = {"id": "race", "name": "Race", "sortOrder": "LOW_FIRST", "operator": "BEST"}
    await app.catalogue_changes.apply([race], [], Actor(None, "operator"), "test")
    await app.rebuild.ensure_loaded()
    who = caller("Ann")
    ann = type(who)(SubjectIds("leaderboard").user_id("ann"), "Ann", None, who.role, who.expires_at)
    await award(app, ann, 250, "race")
    await opened_with(app, balances(), "race")
    assert await board(app, "race") == [("Ann", 250), ("Bob", 300), ("Cat", 900)]


async def test_names_that_are_taken_get_a_suffix(app: App):
    await award(app, caller("Ann"), 1)
    await opened_with(app, balances(CSV + "dan,Bob,5,\n"))
    names = [name for name, _ in await board(app)]
    assert len(set(names)) == 5
    assert {"Ann", "Bob", "Cat"} < set(names)


async def test_names_that_look_alike_get_a_suffix_too(app: App):
    await award(app, caller("ANN"), 1)
    await opened_with(app, balances(CSV + "dan,B0b,5,\n"))
    names = [name for name, _ in await board(app)]
    assert {"ANN", "Bob", "Cat"} < set(names)
    assert not {"Ann", "B0b"} & set(names)


async def test_milestones_come_along(app: App):
    await opened_with(app, balances())
    reached = await rows(
        app,
        "SELECT m.threshold, m.reached_at FROM milestones m JOIN users u ON u.id = m.user_id "
        "WHERE u.username = 'Ann' AND m.kind = 'SCORE'",
    )
    assert [tuple(row) for row in reached] == [(100, datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC))]


async def test_a_deleted_user_does_not_come_back(app: App):
    await opened_with(app, balances())
    await app.moderation.deletion(MODERATOR, SubjectIds("leaderboard").user_id("cat"), "asked for it")
    assert await opened_with(app, balances(), "arcade") == OpeningResult(2, 1)
    assert [name for name, _ in await board(app, "arcade")] == ["Bob", "Ann"]


def test_json_in_lines_says_the_same_as_csv():
    lines = [
        b'{"user": "ann", "username": "Ann", "score": 300, "reached_at": "2025-01-02T03:04:05Z"}\n',
        b'{"user": "bob", "username": "Bob", "score": "300", "reached_at": "2024-01-02T03:04:05Z"}\n',
        b'{"user": "cat", "username": "Cat", "score": 900}\n',
    ]
    assert list(read_json([line.decode() for line in lines], SubjectIds("leaderboard"), 1_000_000, NOW)) == balances()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name,score\nann,5\n", "line 1: the columns must be"),
        ("user,score,rank\nann,5,1\n", "line 1: the columns must be"),
        ("user,score\n,5\n", "line 2: `user`"),
        ("user,score\nann,5\nbob,0\n", "line 3: `score`"),
        ("user,score\nann,1000001\n", "line 2: `score`"),
        ("user,score\nann,5.5\n", "line 2: `score`"),
        ("user,score,reached_at\nann,5,2025-01-02\n", "line 2: `reached_at`"),
        ("user,score,reached_at\nann,5,2099-01-02T00:00:00Z\n", "line 2: `reached_at`"),
        ("user,score\nann,5,6\n", "line 2: the fields must be among"),
    ],
)
def test_a_line_that_is_no_balance_is_named(text: str, complaint: str):
    with pytest.raises(BalanceError, match=complaint):
        balances(text)


def test_the_time_of_a_balance_may_be_in_any_zone():
    (one,) = balances("user,score,reached_at\nann,5,2025-01-02T03:04:05+02:00\n")
    assert one.reached_at == datetime(2025, 1, 2, 1, 4, 5, tzinfo=UTC)
