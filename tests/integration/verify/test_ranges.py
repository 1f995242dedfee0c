"""`verify` reads bounded ranges of users, a few at a time, and finds what is wrong in any of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import event, text

from app.config import Settings
from app.models.statements.verify import invariants
from app.services.verify import CheckResult
from app.services.verify.verify import MAX_CONNECTIONS
from app.wiring import App
from tests.support.boards.ledgers import award
from tests.support.service import caller, opened

PLAYERS = [caller(f"player {number}") for number in range(23)]


@pytest.fixture
async def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[App]:
    """A service with more players than are in a few ranges."""
    monkeypatch.setattr("app.services.verify.boards.MAX_INDEX_DELAY", 0.5)
    async with opened(settings) as app:
        for who in PLAYERS:
            for points in (5, 6):
                await award(app, who, points)
        await app.ledger.drain()
        await app.anchors.anchor()
        yield app


async def findings(app: App) -> dict[str, CheckResult]:
    return {result.name: result for result in await app.verify.run(lambda *_: None)}


@pytest.mark.parametrize("size", [1, 4, 23, 24, 2000])
async def test_ranges_of_any_size_cover_everything(app: App, monkeypatch: pytest.MonkeyPatch, size: int):
    monkeypatch.setattr(invariants, "USERS_PER_RANGE", size)
    found = await findings(app)
    assert [sentence for result in found.values() for sentence in result.violations] == []
    assert (found["chains"].checked, found["sums"].checked, found["anchors"].checked) == (46, 23, 23)


async def test_what_is_wrong_in_any_range_is_found(app: App, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(invariants, "USERS_PER_RANGE", 4)
    ids = sorted(who.user_id for who in PLAYERS)
    for user_id in (ids[0], ids[11], ids[-1]):
        async with app.database.begin() as connection:
            await connection.execute(
                text("UPDATE score_transactions SET points = points + 1 WHERE user_id = :user AND seq = 2"),
                {"user": user_id},
            )
        assert any(str(user_id) in sentence for sentence in (await findings(app))["chains"].violations)


async def test_transactions_of_users_who_do_not_exist_are_in_a_range(app: App, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(invariants, "USERS_PER_RANGE", 4)
    for stranger in (UUID(int=1), UUID(int=2**128 - 1)):
        async with app.database.begin() as connection:
            await connection.execute(
                text(
                    """
                    INSERT INTO score_transactions (id, user_id, seq, kind, points, delta, score, actor_role,
                                                    created_at, previous_hash, hash)
                    VALUES (gen_random_uuid(), :user, 1, 'HIDING', 0, 0, 0, 'server', now(), '', '')
                    """
                ),
                {"user": stranger},
            )
        assert any(f"belongs to user {stranger}" in sentence for sentence in (await findings(app))["owners"].violations)


async def test_no_more_connections_are_used_than_allowed(app: App, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(invariants, "USERS_PER_RANGE", 1)
    in_use, most = 0, 0

    def taken(*_: object) -> None:
        nonlocal in_use, most
        in_use += 1
        most = max(most, in_use)

    def returned(*_: object) -> None:
        nonlocal in_use
        in_use -= 1

    pool = app.database.engine.sync_engine.pool
    event.listen(pool, "checkout", taken)
    event.listen(pool, "checkin", returned)
    await findings(app)
    event.remove(pool, "checkout", taken)
    event.remove(pool, "checkin", returned)
    # The background work of the service may use a few connections meanwhile.
    assert 1 < most <= MAX_CONNECTIONS + 3
