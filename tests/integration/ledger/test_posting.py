"""The ledger on real stores: exactly once, by the very state it changes, whatever runs at the same time."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text

from app.config import Settings
from app.domain.errors import ActionTokenUsed, InvalidActionToken, ScoreCapReached
from app.domain.users import Caller
from app.wiring import App
from tests.support.service import caller, opened

SUMS = text(
    """
    SELECT count(*) FROM (
        SELECT user_id, category_id, sum(delta) AS total FROM score_transactions GROUP BY user_id, category_id
    ) t FULL JOIN (SELECT * FROM scores WHERE period = 'ALL_TIME') s USING (user_id, category_id)
    WHERE t.total IS DISTINCT FROM s.score
    """
)
CHAIN = text("SELECT seq, delta, score, previous_hash, hash FROM score_transactions WHERE user_id = :user ORDER BY seq")


@pytest.fixture(params=[True, False], ids=["group commit", "one by one"])
async def app(settings: Settings, request: pytest.FixtureRequest):
    async with opened(settings.model_copy(update={"group_commit": request.param})) as app:
        yield app


async def issue(app: App, who: Caller, action: str = "COMPLETE_LEVEL") -> str:
    return (await app.issue_token(who, action)).token


async def wrong_sums(app: App) -> int:
    async with app.database.connect() as connection:
        found: int = (await connection.execute(SUMS)).scalar_one()
        return found


async def test_a_submission_is_paid_on_all_boards_of_its_category(app: App):
    alice = caller()
    receipt = await app.submit_score(alice, await issue(app, alice))
    assert (receipt.previous_score, receipt.new_score, receipt.delta) == (0, 50, 50)
    async with app.database.connect() as connection:
        rows = (await connection.execute(text("SELECT period, score, revision FROM scores"))).all()
    assert sorted(rows) == [("ALL_TIME", 50, 1), ("DAILY", 50, 1), ("MONTHLY", 50, 1), ("WEEKLY", 50, 1)]


async def test_one_token_pays_once_however_many_submit_it(app: App):
    alice = caller()
    token = await issue(app, alice)
    outcomes = await asyncio.gather(*(app.submit_score(alice, token) for _ in range(100)), return_exceptions=True)
    kinds = Counter(type(outcome).__name__ for outcome in outcomes)
    assert kinds == {"Receipt": 1, "ActionTokenUsed": 99}
    receipts = {o.receipt.transaction_id for o in outcomes if isinstance(o, ActionTokenUsed)}
    assert len(receipts) == 1
    assert await wrong_sums(app) == 0


async def test_many_tokens_of_one_user_at_once_are_each_paid_with_their_own_receipt(app: App):
    alice = caller()
    tokens = [await issue(app, alice) for _ in range(20)]
    receipts = await asyncio.gather(*(app.submit_score(alice, token) for token in tokens))
    assert sorted((r.previous_score, r.new_score) for r in receipts) == [(n * 50, n * 50 + 50) for n in range(20)]
    assert len({receipt.transaction_id for receipt in receipts}) == 20


async def test_many_users_at_once_share_commits_and_nothing_else(app: App):
    users = [caller(f"user {number}") for number in range(40)]
    tokens = await asyncio.gather(*(issue(app, user) for user in users))
    receipts = await asyncio.gather(*(app.submit_score(u, t) for u, t in zip(users, tokens, strict=True)))
    assert {receipt.user.id for receipt in receipts} == {user.user_id for user in users}
    assert await wrong_sums(app) == 0


async def test_one_bad_submission_in_a_batch_harms_nobody(app: App):
    users = [caller(f"user {number}") for number in range(10)]
    tokens = [await issue(app, user) for user in users]
    used = await app.submit_score(users[0], tokens[0])
    outcomes = await asyncio.gather(
        *(app.submit_score(u, t) for u, t in zip(users, tokens, strict=True)), return_exceptions=True
    )
    assert isinstance(outcomes[0], ActionTokenUsed)
    assert outcomes[0].receipt.transaction_id == used.transaction_id
    assert all(outcome.new_score == 50 for outcome in outcomes[1:])


async def test_a_token_that_was_never_stored_pays_nothing(app: App):
    alice = caller()
    token = await issue(app, alice)
    async with app.database.begin() as connection:
        await connection.execute(text("DELETE FROM action_tokens"))
    with pytest.raises(InvalidActionToken):
        await app.submit_score(alice, token)
    assert await wrong_sums(app) == 0


async def test_an_award_is_cut_to_the_room_under_the_cap_and_refused_at_it(settings: Settings):
    async with opened(settings.model_copy(update={"score_cap": 70})) as app:
        alice = caller()
        assert (await app.submit_score(alice, await issue(app, alice))).delta == 50
        assert (await app.submit_score(alice, await issue(app, alice))).delta == 20
        token = await issue(app, alice)
        with pytest.raises(ScoreCapReached):
            await app.submit_score(alice, token)
        assert await wrong_sums(app) == 0


async def test_every_user_has_an_unbroken_chain(app: App):
    alice = caller()
    for _ in range(3):
        await app.submit_score(alice, await issue(app, alice))
    async with app.database.connect() as connection:
        rows = (await connection.execute(CHAIN, {"user": alice.user_id})).all()
        head = (await connection.execute(text("SELECT ledger_seq, ledger_hash FROM users"))).one()
    assert [row.seq for row in rows] == [1, 2, 3]
    assert [row.previous_hash for row in rows] == [b"", rows[0].hash, rows[1].hash]
    assert tuple(head) == (3, rows[2].hash)


async def test_two_instances_that_pay_the_same_users_at_once_agree(settings: Settings):
    async with opened(settings) as one, opened(settings) as other:
        users = [caller(f"user {number}") for number in range(10)]
        tokens = [(user, await issue(one, user)) for user in users for _ in range(6)]
        work = [
            app.submit_score(user, token)
            for index, (user, token) in enumerate(tokens)
            for app in ((one, other) if index % 2 else (other, one))
        ]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        kinds = Counter(type(outcome).__name__ for outcome in outcomes)
        assert kinds == {"Receipt": 60, "ActionTokenUsed": 60}
        assert await wrong_sums(one) == 0
