"""What PostgreSQL or its driver refuses fails alone, whatever shares its batch."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.domain.ledger.posting import ScoreRequest
from app.domain.ledger.transactions import Actor, Kind
from app.wiring import App
from tests.support.boards.ledgers import accept
from tests.support.service import caller

TOGETHER = 40


@pytest.mark.parametrize("attributes", ['{"a": Infinity}', '"\\u0000"', '"\0"', '"\ud800"', "no JSON"])
async def test_a_token_that_cannot_be_stored_fails_alone(app: App, attributes: str):
    action = app.catalogue.current.action("COMPLETE_LEVEL")
    players = [caller(f"player-{number}") for number in range(TOGETHER)]
    for player in players:
        await app.users.ensure(player)
    given = [attributes if number == 7 else "{}" for number in range(TOGETHER)]
    outcomes = await asyncio.gather(
        *(app.action_tokens.issue(player, action, None, one) for player, one in zip(players, given, strict=True)),
        return_exceptions=True,
    )
    failed = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, BaseException)]
    assert failed == [7], outcomes
    assert isinstance(outcomes[7], DBAPIError)
    assert not app.database.breaker.is_open


async def test_a_claim_that_cannot_be_stored_fails_alone(app: App):
    action = app.catalogue.current.action("COMPLETE_LEVEL")
    players = [caller(f"player-{number}") for number in range(TOGETHER)]
    for player in players:
        await app.users.ensure(player)

    def claim(number: int) -> ScoreRequest:
        user_id = players[number].user_id
        return ScoreRequest(
            user_id=user_id,
            category=app.catalogue.current.category("global"),
            kind=Kind.SERVER_ACTION,
            points=50,
            actor=Actor(user_id, "server"),
            action=action,
            request_key=f"key-{number}",
            reason="a\0b" if number == 7 else None,
        )

    outcomes = await asyncio.gather(
        *(app.ledger.post(claim(number), accept) for number in range(TOGETHER)), return_exceptions=True
    )
    failed = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, BaseException)]
    assert failed == [7], outcomes
    assert isinstance(outcomes[7], DBAPIError)
    assert not app.database.breaker.is_open
    async with app.database.connect() as connection:
        stored = await connection.execute(text("SELECT count(*), sum(delta) FROM score_transactions"))
    assert tuple(stored.one()) == (TOGETHER - 1, 50 * (TOGETHER - 1))
