"""What is asked of a board besides its page is answered together with it: one response, one version."""

from __future__ import annotations

from typing import Any

import pytest

from app.wiring import App
from tests.support.asking import Asker
from tests.support.board_rows import put_rows, rows_of, user_id

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


def ranks(entries: list[dict[str, Any]]) -> list[tuple[int, int, int]]:
    return [(entry["rank"], entry["competitionRank"], entry["tiedWith"]) for entry in entries]


def ids(*numbers: int) -> list[str]:
    return [str(user_id(number)) for number in numbers]


@pytest.mark.parametrize("compiled", [False, True])
async def test_everything_asked_of_a_board_is_answered_at_one_version(app: App, compiled: bool):
    await put_rows(app, rows_of(50, 50, 30, 30, 10))
    asker = Asker(app, compiled=compiled)
    for _ in range(3):
        answer = await asker.ask(VIEWS, user=ids(5)[0], friends=ids(4, 2, 3), radius=1)
    board = answer["leaderboard"]
    assert ranks(board["entries"]) == [(1, 1, 1), (2, 1, 1), (3, 3, 1)]
    assert ranks(board["around"]) == [(3, 3, 1), (4, 3, 1), (5, 5, 0)]
    assert ranks([edge["node"] for edge in board["standings"]["edges"]]) == [(1, 1, 1), (2, 1, 1)]
    assert [(one["rank"], one["competitionRank"]) for one in board["friends"]] == [(1, 1), (2, 2), (3, 2)]
    assert [one["entry"]["rank"] for one in board["friends"]] == [2, 3, 4]
