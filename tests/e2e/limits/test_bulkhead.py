"""Questions about the past have connections and time of their own: whatever they cost, the others do not notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from app.config import Settings
from tests.support.service import Service, serving, settings_for
from tests.support.wait_until import until

NOW_AND_THEN = """
query NowAndThen($user: ID!, $at: DateTime!) {
  now: userRank(userId: $user) { rank score }
  then: userRank(userId: $user, at: $at) { rank score }
}
"""
RANK_THEN = "query Then($user: ID!, $at: DateTime!) { userRank(userId: $user, at: $at) { rank } }"
BOARD_THEN = "query Then($at: DateTime!) { leaderboard(at: $at) { totalUsers } }"
RANK_NOW = "query Now($user: ID!) { userRank(userId: $user) { rank score } }"


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return settings_for(database_url, redis_url, db_expensive_pool_max=2, db_expensive_timeout=12)


@asynccontextmanager
async def past_hangs(settings: Settings) -> AsyncIterator[None]:
    """Make all reads of the past wait until the block ends."""
    assert settings.database_url is not None
    dsn = make_url(settings.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE checkpoints IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


def seconds_ago(seconds: int) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


async def ask_past(service: Service, user: str, number: int) -> dict[str, Any]:
    """The answer to one of many different questions."""
    query, more = (RANK_THEN, {"user": user}) if number % 2 else (BOARD_THEN, {})
    answer: dict[str, Any] = (await service.anonymous.post(query, at=seconds_ago(60 + number), **more)).json()
    return answer


def code_of(answer: dict[str, Any]) -> str:
    code: str = answer["errors"][0]["extensions"]["code"] if "errors" in answer else "OK"
    return code


async def test_forty_questions_about_the_past_take_nothing_from_the_others(service: Service, settings: Settings):
    watched = service.player()
    user = (await watched.play())["user"]["id"]
    async with past_hangs(settings):
        questions = [asyncio.create_task(ask_past(service, user, number)) for number in range(40)]
        await until(lambda: sum(one.done() for one in questions) >= 38)
        for _ in range(5):
            assert (await service.player().play())["__typename"] == "ScoreAccepted"
            assert (await service.anonymous.ask(RANK_NOW, user=user))["userRank"]["rank"] == 1
        await asyncio.gather(*(service.player().play() for _ in range(10)))
        assert service.app.database.breaker.trips == 0
    answers = await asyncio.gather(*questions)
    codes = [code_of(answer) for answer in answers]
    assert (codes.count("OK"), codes.count("RATE_LIMITED")) == (2, 38)
    refused = [answer["errors"][0]["extensions"]["retryAfter"] for answer in answers if "errors" in answer]
    assert refused == [1] * 38
    assert code_of(await ask_past(service, user, 101)) == "OK"


async def test_a_refusal_tells_http_clients_when_to_come_back(service: Service, settings: Settings):
    async with past_hangs(settings):
        questions = [asyncio.create_task(service.anonymous.post(BOARD_THEN, at=seconds_ago(n))) for n in range(30)]
        await until(lambda: any(one.done() for one in questions))
        response = await next(one for one in questions if one.done())
        assert (code_of(response.json()), response.headers["retry-after"]) == ("RATE_LIMITED", "1")
    await asyncio.gather(*questions)


async def test_the_rank_of_today_does_not_fail_with_that_of_yesterday(database_url: str, redis_url: str):
    settings = settings_for(database_url, redis_url, db_expensive_timeout=0.5)
    async with serving(settings) as service:
        user = (await service.player().play())["user"]["id"]
        async with past_hangs(settings):
            for number in range(5):
                body = (await service.anonymous.post(NOW_AND_THEN, user=user, at=seconds_ago(60 + number))).json()
                assert body["data"] == {"now": {"rank": 1, "score": 50}, "then": None}
                assert code_of(body) == "SERVICE_UNAVAILABLE"
        assert service.app.database.breaker.trips == 0
        assert not service.app.database.breaker.is_open
