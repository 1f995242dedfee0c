"""Watching boards over real sockets, with the client that Python developers use, and across processes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx2
from gql import Client, gql
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

from app.config import Settings
from app.domain.users import Role
from app.services.auth.signing_keys import SigningKeys
from tests.support.processes.service_instances import instance_of
from tests.support.service import BOARD, Service, access_token, serving, settings_for
from tests.support.stores import BreakableServer

WATCH = """
subscription Watch($category: String! = "global", $period: Period! = ALL_TIME, $limit: Int! = 10) {
  leaderboardUpdates(category: $category, period: $period, limit: $limit) {
    kind epoch version
    leaderboard { entries { rank score user { username } } }
    changes { user { username } oldRank newRank score scoreDelta }
  }
}
"""


class Watcher:
    """A subscription whose messages are awaited one by one."""

    def __init__(self, messages: AsyncIterator[dict[str, Any]]) -> None:
        self._messages = messages

    async def next(self, seconds: float = 10) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            update: dict[str, Any] = (await anext(self._messages))["leaderboardUpdates"]
            return update

    async def until(self, expected: list[tuple[str, int]], seconds: float = 20) -> dict[str, Any]:
        """The first message that shows exactly this board."""
        async with asyncio.timeout(seconds):
            while True:
                update = await self.next(seconds)
                if shown(update) == expected:
                    return update


def shown(update: dict[str, Any]) -> list[tuple[str, int]]:
    return [(entry["user"]["username"], entry["score"]) for entry in update["leaderboard"]["entries"]]


@asynccontextmanager
async def watching(service: Service, **variables: Any) -> AsyncIterator[Watcher]:
    transport = WebsocketsTransport(url=service.socket_url, subprotocols=["graphql-transport-ws"])
    document = gql(WATCH)
    document.variable_values = variables
    async with Client(transport=transport) as session, aclosing(session.subscribe(document)) as messages:
        yield Watcher(messages)


async def test_the_first_message_is_a_snapshot_and_later_ones_say_what_moved(service: Service):
    alice, bob = service.player("alice"), service.player("bob")
    await alice.play("COMPLETE_LEVEL")
    async with watching(service) as watcher:
        first = await watcher.next()
        assert (first["kind"], shown(first), first["changes"]) == ("SNAPSHOT", [("alice", 50)], [])
        await bob.play("COMPLETE_MISSION", difficulty="hard")
        update = await watcher.next()
        assert (update["kind"], shown(update)) == ("UPDATE", [("bob", 100), ("alice", 50)])
        assert update["version"] > first["version"]
        assert update["changes"] == [
            {"user": {"username": "bob"}, "oldRank": None, "newRank": 1, "score": 100, "scoreDelta": 0},
            {"user": {"username": "alice"}, "oldRank": 1, "newRank": 2, "score": 50, "scoreDelta": 0},
        ]


async def test_nothing_is_sent_when_nothing_visible_changed(service: Service):
    leader, other = service.player("leader"), service.player("other")
    await leader.play("COMPLETE_MISSION", difficulty="hard")
    async with watching(service, limit=1) as watcher:
        await watcher.next()
        await other.play("COMPLETE_QUIZ")
        await leader.play("COMPLETE_QUIZ")
        assert shown(await watcher.next()) == [("leader", 110)]


async def test_changes_within_a_moment_come_as_one_message(service: Service):
    players = [service.player(f"player {number}") for number in range(10)]
    tokens = [await player.issue() for player in players]
    async with watching(service) as watcher:
        await watcher.next()
        await asyncio.gather(*(p.submit(t) for p, t in zip(players, tokens, strict=True)))
        messages = 0
        while True:
            messages += 1
            if len(shown(await watcher.next())) == 10:
                break
        assert messages <= 4


async def test_a_changed_name_shows_at_once(service: Service):
    subject = "11111111-2222-4333-8444-555555555555"
    alice = service.player(subject)
    await alice.play()
    async with watching(service) as watcher:
        await watcher.next()
        alice.token = _named(service.settings, subject, "Alice the Great")
        await alice.issue()
        await watcher.until([("Alice the Great", 50)])


def _named(settings: Settings, subject: str, name: str) -> str:
    now = int(time.time())
    claims = {"sub": subject, "username": name, "iss": settings.jwt_issuer, "aud": settings.jwt_audience}
    return SigningKeys(settings.jwt_secret.get_secret_value()).sign(claims | {"iat": now, "exp": now + 900}, "at+jwt")


async def test_scores_of_one_process_reach_the_watchers_of_another(service: Service):
    async with instance_of(service.settings) as other, watching(service) as watcher:
        await watcher.next()
        async with httpx2.AsyncClient(base_url=other.address, timeout=20) as http:
            player = service.player("far away")
            player.http = http
            await player.play()
        await watcher.until([("far away", 50)])


async def test_watchers_survive_a_restart_of_redis(database_url: str, redis_server: BreakableServer):
    async with serving(settings_for(database_url, redis_server.url)) as service:
        alice = service.player("alice")
        await alice.play()
        async with watching(service) as watcher:
            await watcher.until([("alice", 50)])
            redis_server.kill()
            await alice.play()
            await watcher.until([("alice", 100)])
            await redis_server.start()
            await alice.play()
            await watcher.until([("alice", 150)])


async def test_the_same_client_reads_over_http(service: Service):
    await service.player("alice").play()
    transport = HTTPXAsyncTransport(
        url=f"{service.url}/graphql", headers={"authorization": f"Bearer {access_token(service.settings)}"}
    )
    async with Client(transport=transport, fetch_schema_from_transport=True) as session:
        board = (await session.execute(gql(BOARD)))["leaderboard"]
    assert [entry["user"]["username"] for entry in board["entries"]] == ["alice"]


SAVE_CATEGORY = """
mutation ($input: SaveCategoryInput!) { saveCategory(input: $input) { scoreCap scoreFormat { unit } } }
"""
ADJUST = """
mutation ($input: AdjustScoreInput!) { adjustScore(input: $input) { previousScore newScore scoreDelta user { id } } }
"""
ME = "{ me { user { id } } }"
FORMATTED = 'query { leaderboard(category: "arcade") { entries { score formattedScore } } }'


async def test_the_highest_scores_are_exact_in_live_updates(service: Service):
    moderator, alice = service.player("moderator", Role.MODERATOR), service.player("alice")
    category = {"id": "arcade", "scoreCap": 2**53 - 1, "scoreFormat": {"kind": "INTEGER", "unit": "pts"}, "reason": "t"}
    saved = (await moderator.ask(SAVE_CATEGORY, input=category))["saveCategory"]
    assert saved == {"scoreCap": 2**53 - 1, "scoreFormat": {"unit": "pts"}}
    await alice.play()
    user = (await alice.ask(ME))["me"]["user"]["id"]
    async with watching(service, category="arcade") as watcher:
        await watcher.next()
        score = 0
        for number, delta in enumerate((2**53 - 3, 1, -(2**53) + 3, 2**53 - 2)):
            change = {"userId": user, "category": "arcade", "adjustment": {"delta": delta}}
            receipt = (await moderator.ask(ADJUST, input=change | {"reason": "t", "idempotencyKey": str(number)}))[
                "adjustScore"
            ]
            previous, score = score, score + delta
            assert (receipt["previousScore"], receipt["newScore"], receipt["scoreDelta"]) == (previous, score, delta)
            update = await watcher.until([("alice", score)])
            (moved,) = update["changes"]
            assert (moved["score"], moved["scoreDelta"]) == (score, delta if number else 0)
    (entry,) = (await service.anonymous.ask(FORMATTED))["leaderboard"]["entries"]
    assert entry == {"score": 2**53 - 1, "formattedScore": "9,007,199,254,740,991 pts"}


async def test_a_total_that_is_selected_stays_current(service: Service):
    await service.player("alice").play("COMPLETE_MISSION", difficulty="hard")
    for selection in (
        "leaderboard { totalUsers }",
        "leaderboard { ...Total } } } fragment Total on Leaderboard { standings(first: 1) { totalCount",
    ):
        query = f"subscription {{ leaderboardUpdates(limit: 1) {{ kind changes {{ newRank }} {selection} }} }}"
        transport = WebsocketsTransport(url=service.socket_url, subprotocols=["graphql-transport-ws"])
        async with Client(transport=transport) as session, aclosing(session.subscribe(gql(query))) as messages:
            board = Watcher(messages)
            before = total_of(await board.next())
            await service.player(f"newcomer-{before}").play("COMPLETE_QUIZ")
            update = await board.next()
            assert (update["kind"], total_of(update), update["changes"]) == ("UPDATE", before + 1, [])


def total_of(update: dict[str, Any]) -> int:
    board = update["leaderboard"]
    total: int = board["totalUsers"] if "totalUsers" in board else board["standings"]["totalCount"]
    return total
