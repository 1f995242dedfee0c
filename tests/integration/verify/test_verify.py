"""`verify` finds nothing in sound data, and names the row where something is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import text

from app.config import Settings
from app.domain.boards.board import Board
from app.domain.boards.periods import Period
from app.services.board_index import Keys
from app.services.verify import CheckResult
from app.wiring import App
from tests.support.boards.ledgers import award, breaches
from tests.support.manual_clock import WallClock
from tests.support.service import Service, caller, opened
from tests.support.stores import BreakableServer

ALICE, BOB = caller("alice"), caller("bob")

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    """A service in which alice has three transactions and bob has two, all too old for the repair of recent scores."""
    clock = WallClock()
    async with opened(settings, clock) as app:
        for points in (10, 20, 30):
            await award(app, ALICE, points)
        for points in (40, 5):
            await award(app, BOB, points)
        clock.advance(minutes=5)
        yield app


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way: what differs between the stores will differ for good."""
    monkeypatch.setattr("app.services.verify.boards.MAX_INDEX_DELAY", 0.5)


async def tamper(app: App, statement: str, **values: object) -> None:
    """Change the database behind the service's back."""
    async with app.database.begin() as connection:
        changed = await connection.execute(text(statement), values)
        assert changed.rowcount, "nothing was tampered with"


async def findings(app: App) -> dict[str, CheckResult]:
    """What `verify` found, by the name of the check."""
    return {finding.name: finding for finding in await app.verify.run(lambda *_: None)}


def board(app: App, period: Period = Period.ALL_TIME) -> Board:
    return app.board_queries.board(app.catalogue.current.category("global"), period)


async def test_sound_data_has_no_breach_and_everything_was_looked_at(app: App):
    found = await findings(app)
    assert [breach for finding in found.values() for breach in finding.violations] == []
    assert found["chains"].checked == 5
    assert found["sums"].checked == 2
    assert found["windows"].checked == 6
    assert found["boards"].checked == 8


async def test_a_score_that_is_not_the_sum_of_its_deltas_is_named(app: App):
    await tamper(
        app,
        "UPDATE scores SET score = 61, sort_key = -61 WHERE user_id = :u AND period = 'ALL_TIME'",
        u=ALICE.user_id,
    )
    (breach,) = (await findings(app))["sums"].violations
    assert str(ALICE.user_id) in breach
    assert "61" in breach
    assert "60" in breach


async def test_a_score_that_is_missing_is_named(app: App):
    await tamper(app, "DELETE FROM scores WHERE user_id = :u AND period = 'ALL_TIME'", u=ALICE.user_id)
    (breach,) = (await findings(app))["sums"].violations
    assert "missing" in breach


async def test_a_daily_score_that_is_not_the_sum_of_its_deltas_is_reported(app: App):
    await tamper(
        app, "UPDATE scores SET score = 1, sort_key = -1 WHERE user_id = :u AND period = 'DAILY'", u=BOB.user_id
    )
    (breach,) = (await findings(app))["windows"].violations
    assert f"user {BOB.user_id}, board global/DAILY:" in breach


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("sort_key = -sort_key", "has the wrong sort key 60"),
        ("hidden = true", "it is hidden, but its user is not"),
        ("revision = 0", "the revision is 0"),
        ("window_start = '2000-01-02'", "no window of this period"),
        ("score = 2000000, sort_key = -2000000", "is not between 0 and 1000000"),
    ],
)
async def test_a_row_that_breaks_its_own_rules_is_named(app: App, change: str, says: str):
    statement = f"UPDATE scores SET {change} WHERE user_id = :u AND period = 'ALL_TIME'"  # noqa: S608
    await tamper(app, statement, u=ALICE.user_id)
    (breach,) = (await findings(app))["rows"].violations
    assert f"user {ALICE.user_id}, board global/ALL_TIME:" in breach
    assert says in breach


@pytest.mark.parametrize(
    "change",
    [
        "delta = delta + 1, score = score + 1",
        "created_at = created_at - interval '1 second'",
        "actor_role = 'moderator'",
        "address_commitment = '203.0.113.7'",
        "reason_commitment = 'nothing'",
        "kind = 'NONSENSE'",
    ],
)
async def test_an_altered_transaction_is_named(app: App, change: str):
    statement = f"UPDATE score_transactions SET {change} WHERE user_id = :u AND seq = 3"  # noqa: S608
    await tamper(app, statement, u=ALICE.user_id)
    found = (await findings(app))["chains"].violations
    assert any(f"user {ALICE.user_id}, transaction 3" in breach and "its hash" in breach for breach in found)


async def test_a_removed_transaction_leaves_a_gap(app: App):
    await tamper(app, "DELETE FROM score_transactions WHERE user_id = :u AND seq = 2", u=ALICE.user_id)
    found = (await findings(app))["chains"].violations
    assert any(f"user {ALICE.user_id}, transaction 3" in breach and "missing" in breach for breach in found)


async def test_a_removed_last_transaction_is_missed_by_the_users_row(app: App):
    await tamper(app, "DELETE FROM score_transactions WHERE user_id = :u AND seq = 2", u=BOB.user_id)
    (breach,) = (await findings(app))["chains"].violations
    assert f"user {BOB.user_id}: the chain must end with 2" in breach


async def test_a_ledger_that_was_emptied_is_noticed(app: App):
    await tamper(app, "DELETE FROM score_transactions")
    assert len((await findings(app))["chains"].violations) == 2


async def test_a_transaction_with_a_fitting_hash_of_its_own_does_not_fit_its_neighbours(app: App):
    await tamper(
        app,
        "UPDATE score_transactions SET previous_hash = '\\x00'::bytea WHERE user_id = :u AND seq = 2",
        u=ALICE.user_id,
    )
    found = (await findings(app))["chains"].violations
    assert any("is not the hash of the transaction before it" in breach for breach in found)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE score_transactions SET user_id = gen_random_uuid() WHERE user_id = :u AND seq = 3", "belongs to user"),
        (
            "UPDATE score_transactions SET category_id = 'gone' WHERE user_id = :u AND seq = 3",
            "belongs to category gone",
        ),
    ],
)
async def test_a_transaction_without_its_owner_is_named(app: App, statement: str, named: str):
    await tamper(app, statement, u=ALICE.user_id)
    (breach,) = (await findings(app))["owners"].violations
    assert named in breach


async def test_a_token_of_an_unknown_user_is_reported(service: Service, settings: Settings):
    await service.player("carol").issue()
    async with opened(settings) as app:
        await tamper(app, "UPDATE action_tokens SET user_id = gen_random_uuid()")
        (breach,) = (await findings(app))["owners"].violations
        assert "who does not exist" in breach


async def test_a_token_that_was_made_usable_again_is_named(service: Service, settings: Settings):
    await service.player("carol").play()
    async with opened(settings) as app:
        await tamper(app, "UPDATE action_tokens SET used_at = NULL")
        (breach,) = (await findings(app))["tokens"].violations
        assert "has a token that is unused" in breach


async def test_a_token_that_was_used_without_a_transaction_is_named(service: Service, settings: Settings):
    await service.player("carol").issue()
    async with opened(settings) as app:
        await tamper(app, "UPDATE action_tokens SET used_at = now()")
        (breach,) = (await findings(app))["tokens"].violations
        assert "has no transaction" in breach


async def test_a_transaction_with_a_token_that_was_never_issued_is_reported(service: Service, settings: Settings):
    await service.player("carol").play()
    async with opened(settings) as app:
        await tamper(app, "DELETE FROM action_tokens")
        (breach,) = (await findings(app))["tokens"].violations
        assert "was never issued" in breach


async def test_tokens_that_were_cleaned_away_are_no_breach(service: Service, settings: Settings):
    await service.player("carol").play()
    async with opened(settings) as app:
        await tamper(app, "DELETE FROM action_tokens")
        await tamper(app, "UPDATE score_transactions SET created_at = created_at - interval '2 days'")
        assert (await findings(app))["tokens"].violations == []


async def test_a_user_whom_redis_lost_is_named(app: App):
    keys = Keys(app.settings.redis_prefix)
    await app.redis.hdel(keys.members(board(app)), ALICE.user_id.bytes)
    found = (await findings(app))["boards"].violations
    assert any(f"user {ALICE.user_id}, board global/ALL_TIME" in breach and "no row" in breach for breach in found)


async def test_another_score_in_redis_is_named(app: App):
    keys = Keys(app.settings.redis_prefix)
    (first, _) = await app.redis.zrange(keys.order(board(app, Period.WEEKLY)), 0, -1)
    await app.redis.zadd(keys.order(board(app, Period.WEEKLY)), {first: -999})
    (breach,) = (await findings(app))["boards"].violations
    assert "-999" in breach
    assert str(UUID(bytes=first[8:])) in breach


async def test_a_user_who_is_in_redis_only_is_reported(app: App):
    keys = Keys(app.settings.redis_prefix)
    await app.redis.zadd(keys.order(board(app)), {bytes(24): -1})
    (breach,) = (await findings(app))["boards"].violations
    assert "PostgreSQL has 2 visible of 2 users, but Redis has 3 of 2" in breach


async def test_a_redis_that_does_not_answer_is_a_breach_and_the_rest_is_checked(
    database_url: str, redis_server: BreakableServer, settings: Settings
):
    await redis_server.start()
    async with opened(settings.model_copy(update={"redis_url": redis_server.url})) as app:
        await award(app, ALICE, 10)
        redis_server.kill()
        found = await findings(app)
        assert "Redis does not answer" in found["boards"].violations[0]
        assert (found["chains"].checked, found["chains"].violations) == (1, [])


async def test_nothing_is_found_while_players_play(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """A score on its way from one store to the other is no breach."""
    monkeypatch.undo()
    people = [caller(f"player-{number}") for number in range(8)]
    done = asyncio.Event()

    async with opened(settings) as app:

        async def play(number: int) -> None:
            while not done.is_set():
                await award(app, people[number], 10)

        async with asyncio.TaskGroup() as crowd:
            for number in range(len(people)):
                crowd.create_task(play(number))
            try:
                assert await breaches(app) == []
            finally:
                done.set()
