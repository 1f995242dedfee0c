"""Boards and players over HTTP: what a page of a game asks for fits the limits of documents, and is right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.support.service import Service

LINE = "id rank competitionRank tiedWith score reachedAt user { id username avatarUrl }"
PAGE = f"""
query Page($user: ID!, $friends: [ID!]!, $from: DateTime!, $to: DateTime!) {{
  leaderboard(limit: 20) {{
    id epoch version asOf source stale totalUsers startsAt endsAt
    entries {{ ...line }}
    around(userId: $user, radius: 5) {{ ...line }}
    friends(userIds: $friends) {{ rank competitionRank entry {{ ...line }} }}
    standings(first: 20) {{ edges {{ cursor node {{ ...line }} }} pageInfo {{ hasNextPage endCursor }} }}
  }}
  userRank(userId: $user) {{ rank usersAbove usersBelow percentile }}
  scoreHistory(userId: $user, from: $from, to: $to) {{ trend averageDailyGain points {{ startsAt score gained }} }}
  rankHistory(userId: $user, from: $from, to: $to) {{ bestRank points {{ rank totalUsers }} }}
}}
fragment line on LeaderboardEntry {{ {LINE} }}
"""
TRANSACTIONS = "query Mine($user: ID!) { transactions(userId: $user) { nodes { id kind delta score } } }"


async def test_all_that_a_page_of_a_game_shows_comes_in_one_request(service: Service):
    alice, bob = service.player("alice"), service.player("bob")
    ids = [(await player.play("COMPLETE_LEVEL"))["user"]["id"] for player in (alice, bob)]
    now = datetime.now(UTC)
    span = {"from": (now - timedelta(days=30)).isoformat(), "to": (now + timedelta(days=1)).isoformat()}
    for _ in range(3):  # interpreted, then compiled
        page = await service.anonymous.ask(PAGE, user=ids[1], friends=ids, **span)
    board = page["leaderboard"]
    names = ["alice", "bob"]
    assert [entry["user"]["username"] for entry in board["entries"]] == names
    assert board["around"] == board["entries"] == [edge["node"] for edge in board["standings"]["edges"]]
    assert [one["entry"] for one in board["friends"]] == board["entries"]
    assert page["userRank"] == {"rank": 2, "usersAbove": 1, "usersBelow": 0, "percentile": 0.0}
    assert page["scoreHistory"]["trend"] == "INCREASING"
    assert page["rankHistory"]["points"] == []


async def test_a_ledger_is_shown_to_its_player_and_to_nobody_else(service: Service):
    alice = service.player("alice")
    outcome = await alice.play("COMPLETE_LEVEL")
    user = outcome["user"]["id"]
    (entry,) = (await alice.ask(TRANSACTIONS, user=user))["transactions"]["nodes"]
    assert entry == {"id": outcome["transactionId"], "kind": "ACTION", "delta": 50, "score": 50}
    assert (await service.player("bob").fails(TRANSACTIONS, user=user))["code"] == "FORBIDDEN"
    assert (await service.anonymous.fails(TRANSACTIONS, user=user))["code"] == "UNAUTHENTICATED"
