"""Queries over HTTP with the cache of answers on, as it is by default: never an answer of yesterday, nor of another."""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

from app.services.auth.signing_keys import SigningKeys
from tests.support.metrics import metrics_of
from tests.support.service import BOARD, Player, Service
from tests.support.wait_until import TIMEOUT

MINE = "{ me { user { username } } leaderboard { totalUsers } }"
AROUND = "query A($id: ID!) { leaderboard { around(userId: $id) { rank user { username } } } }"


async def hits(service: Service) -> int:
    """How many queries were answered without an execution so far."""
    return int((await metrics_of(service))['leaderboard_cache_requests_total{cache="responses",result="hit"}'])


def named(service: Service, subject: str, username: str) -> Player:
    """The same user under another name, as the identity provider would tell it."""
    settings, now = service.settings, int(time.time())
    claims = {
        "sub": subject,
        "username": username,
        "role": "player",
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "iat": now,
        "exp": now + 900,
    }
    return Player(service.http, SigningKeys(settings.jwt_secret.get_secret_value()).sign(claims, "at+jwt"))


async def test_equal_queries_of_different_people_are_executed_once(service: Service) -> None:
    await service.player("alice").play()
    first = await service.player("bob").ask(BOARD)
    async with asyncio.timeout(TIMEOUT):
        # A board that was opened a moment ago may be read once more, when its channel is: then the answers begin anew.
        while True:
            before = await hits(service)
            answers = [await service.player(name).ask(BOARD, limit=10) for name in ("carol", "dave")]
            answers.append(await service.anonymous.ask(BOARD))
            if await hits(service) >= before + 2:
                break
    assert answers == [answers[0]] * 3
    assert answers[0]["leaderboard"]["entries"] == first["leaderboard"]["entries"]


async def test_what_was_acknowledged_is_in_the_next_answer(service: Service) -> None:
    alice = service.player("alice")
    for score in (50, 100, 150):
        await alice.play()
        (entry,) = (await service.anonymous.ask(BOARD))["leaderboard"]["entries"]
        assert entry["score"] == score


async def test_a_new_name_is_in_the_next_answer_although_the_board_has_not_moved(service: Service) -> None:
    subject = f"user-{uuid4().hex[:8]}"
    await named(service, subject, "first name").play()
    for _ in range(3):
        await service.anonymous.ask(BOARD)
    await named(service, subject, "second name").issue()
    (entry,) = (await service.anonymous.ask(BOARD))["leaderboard"]["entries"]
    assert entry["user"]["username"] == "second name"


async def test_a_document_that_reads_the_viewer_is_executed_for_each(service: Service) -> None:
    await service.player("alice").play()
    before = await hits(service)
    for name in ("alice", "bob", "alice"):
        assert (await service.player(name).ask(MINE))["me"]["user"]["username"] == name
    assert (await service.anonymous.ask(MINE))["me"] is None
    assert await hits(service) == before


async def test_what_only_a_store_can_answer_is_asked_of_the_store_each_time(service: Service) -> None:
    outcome = await service.player("alice").play()
    before = await hits(service)
    for _ in range(3):
        (entry,) = (await service.anonymous.ask(AROUND, id=outcome["user"]["id"]))["leaderboard"]["around"]
        assert entry["user"]["username"] == "alice"
    assert await hits(service) == before


async def test_a_refusal_is_not_remembered(service: Service) -> None:
    before = await hits(service)
    for _ in range(3):
        assert (await service.anonymous.fails(BOARD, limit=0))["code"] == "BAD_USER_INPUT"
    assert await hits(service) == before


async def test_an_answer_given_again_keeps_its_etag(service: Service) -> None:
    await service.player("alice").play()
    parameters, headers = {"query": "{ leaderboard { totalUsers } }"}, {"apollo-require-preflight": "1"}
    await service.http.get("/graphql", params=parameters, headers=headers)
    first, second = [await service.http.get("/graphql", params=parameters, headers=headers) for _ in range(2)]
    assert first.headers["etag"] == second.headers["etag"]
    unchanged = await service.http.get(
        "/graphql", params=parameters, headers={**headers, "if-none-match": first.headers["etag"]}
    )
    assert unchanged.status_code == 304
