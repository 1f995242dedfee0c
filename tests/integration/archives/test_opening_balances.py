"""Opening balances: another system's board becomes the beginning of a board here, once."""

import gzip
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.domain.boards.periods import Period
from app.domain.ledger.opening import Balance
from app.domain.ledger.transactions import Actor
from app.domain.users import SubjectIds
from app.services.archives.balance_file import BalanceError, BalanceFile, InvalidLine
from app.services.archives.input_file import open_text
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


def read(content: bytes) -> tuple[list[Balance], list[str]]:
    """Return the balances of a file, and what is said about its invalid lines."""
    invalid: list[InvalidLine] = []
    reader = BalanceFile(SubjectIds("leaderboard"), 1_000_000, NOW)
    return list(reader.read(io.BytesIO(content), invalid.append)), [str(line) for line in invalid]


def balances(text: str = CSV) -> list[Balance]:
    valid, invalid = read(text.encode())
    assert invalid == []
    return valid


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


JSON_LINES = """{"user": "ann", "username": "Ann", "score": 300, "reached_at": "2025-01-02T03:04:05Z"}
{"user": "bob", "username": "Bob", "score": "300", "reached_at": "2024-01-02T03:04:05Z"}

{"user": "cat", "username": "Cat", "score": 900}
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "text",
    [
        JSON_LINES,
        CSV,
        CSV.replace("\n", "\r\n") + "\r\n",
        "\n" + CSV.replace("user,", " User ,"),
        CSV.replace(",", ";"),
        CSV.replace(",", "\t"),
        CSV.replace("Ann", '"Ann"'),
    ],
    ids=["json", "csv", "crlf", "blank first line", "semicolons", "tabs", "quoted"],
)
def test_the_same_balances_are_read_in_every_format(
    text: str, compress: Callable[[bytes], bytes], encoding: str, tmp_path: Path
):
    file = tmp_path / "balances"
    file.write_bytes(compress(text.encode(encoding)))
    with open_text(file) as content:
        assert read(content.read()) == (balances(), [])


@pytest.mark.parametrize("text", ["name,score\nann,5\n", "user,score,rank\nann,5,1\n", "", "\n\n", "[]", "\0\0\0"])
def test_a_file_without_a_header_is_refused(text: str):
    with pytest.raises(BalanceError, match=r"line 1: must name the columns|the file is empty"):
        balances(text)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b",5", "`user` must be"),
        (b"ann", "`score` must be"),
        (b"ann,0", "`score` must be a whole number from 1 to 1000000"),
        (b"ann,1000001", "`score` must be"),
        (b"ann,5.5", "`score` must be"),
        (b"ann," + b"9" * 5000, "`score` must be"),
        (b"ann,5,2025-01-02", "`reached_at` must be a time"),
        (b"ann,5,2099-01-02T00:00:00Z", "`reached_at` must be a time"),
        (b"ann,5,1969-12-31T23:59:59Z", "`reached_at` must be a time from 1970"),
        (b"ann,5,,7", "must have at most 3 cells, but has 4"),
        (b'"ann,5', "must be a line of CSV"),
        (b"a" * 200_000 + b",5", "must be a line of CSV"),
        (b"\xff\xfe,5", "must be UTF-8"),
    ],
)
def test_an_invalid_line_is_reported_and_the_others_are_read(line: bytes, complaint: str):
    valid, invalid = read(b"user,score,reached_at\nbob,7,\n" + line + b"\ncat,8,\n")
    assert [balance.score for balance in valid] == [7, 8]
    assert [reason[:8] for reason in invalid] == ["line 3: "]
    assert complaint in invalid[0]


@pytest.mark.parametrize("line", ["[]", "7", "{", '{"user": "ann", "score": 5, "rank": 1}', '{"user": 7, "score": 5}'])
def test_an_invalid_json_line_is_reported_and_the_others_are_read(line: str):
    valid, invalid = read(f'{{"user": "bob", "score": 7}}\n{line}\n{{"user": "cat", "score": 8}}\n'.encode())
    assert [balance.score for balance in valid] == [7, 8]
    assert [reason[:8] for reason in invalid] == ["line 2: "]


def test_the_time_of_a_balance_may_be_in_any_zone():
    (one,) = balances("user,score,reached_at\nann,5,2025-01-02T03:04:05+02:00\n")
    assert one.reached_at == datetime(2025, 1, 2, 1, 4, 5, tzinfo=UTC)
