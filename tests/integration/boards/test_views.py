"""What is asked of a board besides its page is answered together with it: one response, one version."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from app.config import Settings
from app.domain.boards.board import Source, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.wiring import App
from tests.support.boards.board_rows import Row, all_time, move, put_rows, rows_of, user_id
from tests.support.graphql.schema_client import Asker
from tests.support.service import opened
from tests.support.wait_until import until

LINE = "rank competitionRank tiedWith score user { id username }"
VIEWS = f"""
query Views($user: ID!, $friends: [ID!]!, $radius: Int! = 1, $after: String) {{
  leaderboard(limit: 3) {{
    version totalUsers
    entries {{ ...line }}
    around(userId: $user, radius: $radius) {{ ...line }}
    ...more
    friends(userIds: $friends) {{ rank competitionRank entry {{ ...line }} }}
  }}
}}
fragment line on LeaderboardEntry {{ {LINE} }}
fragment more on Leaderboard {{
  standings(first: 2, after: $after) {{
    edges {{ cursor node {{ ...line }} }} totalCount
    pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
  }}
}}
"""
AROUND = """
query Around($user: ID!, $radius: Int!) { leaderboard { around(userId: $user, radius: $radius) { rank user { id } } } }
"""
STANDINGS = """
query Standings($first: Int! = 50, $after: String, $last: Int, $before: String, $period: Period! = ALL_TIME,
                $category: String! = "global") {
  leaderboard(period: $period, category: $category) {
    standings(first: $first, after: $after, last: $last, before: $before) {
      nodes { id rank competitionRank score } totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""
FRIENDS = """
query Friends($ids: [ID!]!) {
  leaderboard { friends(userIds: $ids) { rank competitionRank entry { rank competitionRank user { id } } } }
}
"""


def ranks(entries: list[dict[str, Any]]) -> list[tuple[int, int, int]]:
    return [(entry["rank"], entry["competitionRank"], entry["tiedWith"]) for entry in entries]


def ids(*numbers: int) -> list[str]:
    return [str(user_id(number)) for number in numbers]


async def score_changes(asker: Asker, **variables: Any) -> dict[str, Any]:
    page: dict[str, Any] = (await asker.ask(STANDINGS, **variables))["leaderboard"]["standings"]
    return page


async def scripts_run(app: App) -> int:
    """How often Redis has run a script so far: every reading of a board is one."""
    stats = await app.redis.info("commandstats")
    return sum(stats.get(name, {"calls": 0})["calls"] for name in ("cmdstat_eval", "cmdstat_evalsha"))


@pytest.fixture
def asker(app: App) -> Asker:
    return Asker(app)


@pytest.mark.parametrize("compiled", [False, True])
async def test_everything_asked_of_a_board_is_answered_at_one_version(app: App, compiled: bool):
    await put_rows(app, rows_of(50, 50, 30, 30, 10))
    asker = Asker(app, compiled=compiled)
    for _ in range(3):
        answer = await asker.ask(VIEWS, user=ids(5)[0], friends=ids(4, 2, 3), radius=1)
    assert bool(asker.executions.compiled) is compiled
    board = answer["leaderboard"]
    assert ranks(board["entries"]) == [(1, 1, 1), (2, 1, 1), (3, 3, 1)]
    assert ranks(board["around"]) == [(3, 3, 1), (4, 3, 1), (5, 5, 0)]
    assert ranks([edge["node"] for edge in board["standings"]["edges"]]) == [(1, 1, 1), (2, 1, 1)]
    assert [(one["rank"], one["competitionRank"]) for one in board["friends"]] == [(1, 1), (2, 2), (3, 2)]
    assert [one["entry"]["rank"] for one in board["friends"]] == [2, 3, 4]


async def test_scores_50_50_30_30_10_rank_1_to_5_and_compete_for_1_1_3_3_5(app: App, asker: Asker):
    await put_rows(app, rows_of(50, 50, 30, 30, 10))
    nodes = (await score_changes(asker))["nodes"]
    assert [node["rank"] for node in nodes] == [1, 2, 3, 4, 5]
    assert [node["competitionRank"] for node in nodes] == [1, 1, 3, 3, 5]


@pytest.mark.parametrize(
    ("user", "radius", "shown"),
    [
        (1, 1, [1, 2, 3]),
        (2, 1, [1, 2, 3]),
        (3, 1, [2, 3, 4]),
        (5, 1, [3, 4, 5]),
        (1, 2, [1, 2, 3, 4, 5]),
        (4, 2, [1, 2, 3, 4, 5]),
        (3, 0, [3]),
        (5, 0, [5]),
        (1, 49, [1, 2, 3, 4, 5]),
    ],
)
async def test_around_fills_at_the_edges_and_never_repeats_or_skips_inside_ties(
    app: App, asker: Asker, user: int, radius: int, shown: list[int]
):
    await put_rows(app, rows_of(50, 50, 30, 30, 10))
    around = (await asker.ask(AROUND, user=ids(user)[0], radius=radius))["leaderboard"]["around"]
    assert [entry["rank"] for entry in around] == shown
    assert [entry["user"]["id"] for entry in around] == ids(*shown)


async def test_around_a_user_without_a_row_is_nobody(app: App, asker: Asker):
    await put_rows(app, rows_of(50, 40))
    assert (await asker.ask(AROUND, user=ids(9)[0], radius=2))["leaderboard"]["around"] == []


@pytest.mark.parametrize("radius", [-1, 50])
async def test_a_radius_out_of_range_is_refused(app: App, asker: Asker, radius: int):
    assert await asker.fails(AROUND, user=ids(1)[0], radius=radius) == "BAD_USER_INPUT"
    assert await asker.fails(AROUND, user="nobody", radius=1) == "BAD_USER_INPUT"


async def test_limit_and_offset_are_bounded(asker: Asker):
    board = "query Board($limit: Int! = 10, $offset: Int! = 0) { leaderboard(limit: $limit, offset: $offset) { id } }"
    for limit in (0, 101, -1):
        assert await asker.fails(board, limit=limit) == "BAD_USER_INPUT"
    for offset in (-1, 10_001):
        assert await asker.fails(board, offset=offset) == "BAD_USER_INPUT"
    for good in ({"limit": 1}, {"limit": 100}, {"offset": 10_000}):
        await asker.ask(board, **good)


async def test_paging_forward_and_back_shows_every_rank_once_and_the_identical_pages(app: App, asker: Asker):
    await put_rows(app, [Row(number, 10 * (number % 3) + 1, number % 2) for number in range(1, 24)])
    pages = []
    after = None
    while True:
        page = await score_changes(asker, first=4, after=after)
        pages.append(page)
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert [node["rank"] for page in pages for node in page["nodes"]] == list(range(1, 24))
    assert len({node["id"] for page in pages for node in page["nodes"]}) == 23
    assert not pages[0]["pageInfo"]["hasPreviousPage"]
    for earlier, later in pairwise(pages):
        before = later["pageInfo"]["startCursor"]
        assert await score_changes(asker, last=4, before=before) == earlier
        assert await score_changes(asker, first=4, before=before) == earlier
    assert [node["rank"] for node in (await score_changes(asker, last=3))["nodes"]] == [21, 22, 23]


async def test_pages_deeper_than_any_offset_are_right(app: App, asker: Asker):
    size = 12_000
    await put_rows(app, [Row(number, size - number // 2, number) for number in range(1, size + 1)])
    page = await score_changes(asker, last=3)
    assert [node["rank"] for node in page["nodes"]] == [size - 2, size - 1, size]
    page = await score_changes(asker, last=3, before=page["pageInfo"]["startCursor"])
    assert [node["rank"] for node in page["nodes"]] == [size - 5, size - 4, size - 3]
    assert page["totalCount"] == size
    onwards = await score_changes(asker, first=3, after=page["pageInfo"]["endCursor"])
    assert [node["rank"] for node in onwards["nodes"]] == [size - 2, size - 1, size]


async def test_a_cursor_continues_behind_its_position_when_the_user_there_has_left(app: App, asker: Asker):
    rows = rows_of(50, 40, 30, 20, 10)
    await put_rows(app, rows)
    cursor = (await score_changes(asker, first=2))["pageInfo"]["endCursor"]
    await put_rows(app, [Row(2, 60, 9), *(row for row in rows if row.user != 2)])
    page = await score_changes(asker, first=2, after=cursor)
    assert [(node["rank"], node["score"]) for node in page["nodes"]] == [(3, 30), (4, 20)]


async def test_a_damaged_cursor_or_one_of_another_board_or_window_is_refused(app: App, asker: Asker):
    await put_rows(app, rows_of(50, 40, 30))
    cursor = (await score_changes(asker, first=1))["pageInfo"]["endCursor"]
    assert await asker.fails(STANDINGS, after=cursor, period="DAILY") == "BAD_USER_INPUT"
    assert await asker.fails(STANDINGS, after=cursor, category="arcade") == "BAD_USER_INPUT"
    assert await asker.fails(STANDINGS, before=cursor[:-2]) == "BAD_USER_INPUT"
    assert await asker.fails(STANDINGS, after=cursor, before=cursor) == "BAD_USER_INPUT"
    for bad in ({"first": 0}, {"first": 101}, {"last": 0}, {"last": 101}):
        assert await asker.fails(STANDINGS, **bad) == "BAD_USER_INPUT"


async def test_friends_are_ranked_among_themselves_and_globally_in_one_call(app: App, asker: Asker):
    await put_rows(app, rows_of(90, 80, 80, 70, 60))
    friends = (await asker.ask(FRIENDS, ids=ids(5, 3, 2, 9, 3)))["leaderboard"]["friends"]
    assert [(one["rank"], one["competitionRank"]) for one in friends] == [(1, 1), (2, 1), (3, 3)]
    assert [(one["entry"]["rank"], one["entry"]["competitionRank"]) for one in friends] == [(2, 2), (3, 2), (5, 5)]
    assert [one["entry"]["user"]["id"] for one in friends] == ids(2, 3, 5)


async def test_at_most_a_hundred_friends_are_ranked(app: App, asker: Asker):
    await put_rows(app, rows_of(50))
    assert (await asker.ask(FRIENDS, ids=ids(*range(1, 101))))["leaderboard"]["friends"][0]["rank"] == 1
    assert (await asker.ask(FRIENDS, ids=[]))["leaderboard"]["friends"] == []
    assert await asker.fails(FRIENDS, ids=ids(*range(1, 102))) == "BAD_USER_INPUT"
    assert await asker.fails(FRIENDS, ids=["nobody"]) == "BAD_USER_INPUT"


async def test_the_same_field_with_other_arguments_and_skipped_fields_find_their_own_answer(app: App, asker: Asker):
    await put_rows(app, rows_of(50, 40, 30, 20))
    query = """
    query Aliases($one: ID!, $four: ID!, $no: Boolean! = false) {
      leaderboard {
        ... { first: around(userId: $one, radius: 0) { rank } }
        last: around(userId: $four, radius: 0) { rank }
        never: around(userId: "damaged") @include(if: $no) { rank }
        again: around(userId: $one, radius: 0) @skip(if: $no) { score }
      }
    }
    """
    for _ in range(3):
        board = (await asker.ask(query, one=ids(1)[0], four=ids(4)[0]))["leaderboard"]
        assert board == {"first": [{"rank": 1}], "last": [{"rank": 4}], "again": [{"score": 50}]}


async def test_while_scores_change_every_response_is_of_one_ordering(app: App, asker: Asker):
    board = all_time()
    await put_rows(app, rows_of(*range(100, 140)))
    done = asyncio.Event()

    async def change() -> None:
        for turn in range(60):
            await move(app, board, *(Row(n, 200 + turn * n % 50, turn) for n in range(1, 20)), revision=2 + turn)
        done.set()

    writer = asyncio.create_task(change())
    while not done.is_set():
        answer = (await asker.ask(VIEWS, user=ids(7)[0], friends=ids(1, 7, 30), radius=49))["leaderboard"]
        whole = {entry["user"]["id"]: entry for entry in answer["around"]}
        assert [entry["rank"] for entry in answer["around"]] == list(range(1, 41))
        others = [*answer["entries"], *(edge["node"] for edge in answer["standings"]["edges"])]
        for entry in [*others, *(one["entry"] for one in answer["friends"])]:
            assert entry == whole[entry["user"]["id"]]
    await writer


async def test_a_hidden_user_leaks_through_no_rank_gap_total_or_cursor(app: App, asker: Asker):
    await put_rows(app, [Row(1, 50, 1), Row(2, 40, 2, hidden=True), Row(3, 40, 3), Row(4, 30, 4)])
    page = await score_changes(asker)
    assert [(node["rank"], node["competitionRank"]) for node in page["nodes"]] == [(1, 1), (2, 2), (3, 3)]
    assert page["totalCount"] == 3
    answer = (await asker.ask(VIEWS, user=ids(3)[0], friends=ids(2, 3)))["leaderboard"]
    assert ranks(answer["around"]) == [(1, 1, 0), (2, 2, 0), (3, 3, 0)]
    assert [one["entry"]["user"]["id"] for one in answer["friends"]] == ids(3)
    assert answer["totalUsers"] == 3
    assert (await asker.ask(AROUND, user=ids(2)[0], radius=1))["leaderboard"]["around"] == []
    rank = "query Rank($user: ID!) { userRank(userId: $user) { rank score totalUsers } }"
    assert (await asker.ask(rank, user=ids(2)[0]))["userRank"] == {"rank": None, "score": 0, "totalUsers": 3}
    first = await score_changes(asker, first=1)
    onwards = await score_changes(asker, first=1, after=first["pageInfo"]["endCursor"])
    assert [node["score"] for node in onwards["nodes"]] == [40]


async def test_a_user_at_score_0_is_ranked_once_they_have_a_row(app: App, asker: Asker):
    await put_rows(app, rows_of(10, 0))
    rank = """
    query Rank($user: ID!) { userRank(userId: $user) { rank competitionRank usersAbove usersBelow percentile score } }
    """
    zero = (await asker.ask(rank, user=ids(2)[0]))["userRank"]
    assert zero == {
        "rank": 2, "competitionRank": 2, "usersAbove": 1, "usersBelow": 0, "percentile": 0.0, "score": 0
    }  # fmt: skip


async def test_a_user_without_a_row_has_no_rank_and_is_not_an_error(app: App, asker: Asker):
    await put_rows(app, rows_of(10, 5))
    daily = """query Daily($user: ID!) {
      userRank(userId: $user, period: DAILY) {
        rank competitionRank usersAbove usersBelow percentile score totalUsers updatedAt
      }
    }"""
    assert (await asker.ask(daily, user=ids(2)[0]))["userRank"] == {
        "rank": None,
        "competitionRank": None,
        "usersAbove": None,
        "usersBelow": None,
        "percentile": None,
        "score": 0,
        "totalUsers": 0,
        "updatedAt": None,
    }
    assert await asker.fails(daily, user=ids(99)[0]) == "USER_NOT_FOUND"


async def test_ranks_asked_for_together_share_one_reading_per_board(settings: Settings):
    async with opened(settings, housekeeping=False) as app:  # Jobs run scripts, too.
        asker = Asker(app)
        await put_rows(app, rows_of(*range(60, 10, -1)))
        rank = "query Rank($user: ID!, $period: Period!) { userRank(userId: $user, period: $period) { rank score } }"
        await asker.ask(rank, user=ids(1)[0], period="ALL_TIME")
        before = await scripts_run(app)
        wanted = [(number, period) for number in range(1, 51) for period in ("ALL_TIME", "DAILY")]
        answers = await asyncio.gather(
            *(asker.ask(rank, user=str(user_id(number)), period=period) for number, period in wanted)
        )
        found = [answer["userRank"]["rank"] for answer in answers]
        assert found == [number if period == "ALL_TIME" else None for number, period in wanted]
        assert await scripts_run(app) - before == 2


async def test_what_the_page_alone_needs_still_comes_from_memory(app: App, asker: Asker):
    await put_rows(app, rows_of(30, 20, 10))
    query = "{ leaderboard { source entries { rank } } }"
    assert await app.hub.fresh_page("global", Period.ALL_TIME, Slice(0, 10))
    # The channel of the category opens with a gap, after which the head is not current before it was checked.
    await until(lambda: app.hub.current_head("global", Period.ALL_TIME) is not None)
    assert (await asker.ask(query))["leaderboard"]["source"] == "MEMORY"
    assert (await asker.ask("{ leaderboard { source standings { totalCount } } }"))["leaderboard"]["source"] == "REDIS"


async def test_a_category_that_redis_has_lost_is_answered_by_postgres_at_one_snapshot(app: App, asker: Asker):
    await put_rows(app, rows_of(50, 50, 30, 30, 10))
    await app.redis.delete(f"{app.settings.redis_prefix}:{{global}}:meta")
    board = board_of("global", Period.ALL_TIME, app.clock())
    page = await app.board_reader.page(board, Slice(0, 10))
    assert page.source is Source.POSTGRES
    assert [entry.rank for entry in page.entries] == [1, 2, 3, 4, 5]
