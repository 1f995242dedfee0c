"""The statement that stores postings: all of them, or nothing."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from app.domain.ledger.posting import Account, Actor, Kind, Posting, ScoreRequest, post
from app.models.statements.executor import Executor
from app.models.statements.ledger.load_accounts import load
from app.models.statements.ledger.store_postings import CHAIN_MOVED, ChainMoved, store
from app.wiring import App
from tests.support.boards.ledgers import rows
from tests.support.service import caller

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


async def posting(app: App, connection: Executor, user_id: UUID) -> Posting:
    """An award of one point, computed from the state that the user has now."""
    category = app.catalogue.current.category("global")
    claim = ScoreRequest(user_id, category, Kind.SERVER_ACTION, 1, Actor(None, "server"))
    (loaded,) = await load(connection, [claim], NOW)
    assert isinstance(loaded.account, Account)
    return post(claim, loaded.account, NOW, uuid4())


async def seen(app: App, name: str) -> UUID:
    who = caller(name)
    await app.users.ensure(who)
    return who.user_id


async def test_a_posting_is_stored_only_while_its_chain_has_not_moved(app: App):
    user_id = await seen(app, "alice")
    async with app.database.driver() as connection:
        first, rival = [await posting(app, connection, user_id) for _ in range(2)]
        await store(connection, [first])
        with pytest.raises(ChainMoved):
            await store(connection, [rival])
        await store(connection, [await posting(app, connection, user_id)])
    assert [row.seq for row in await rows(app, "SELECT seq FROM score_transactions ORDER BY seq")] == [1, 2]


async def test_one_chain_that_has_moved_takes_back_the_whole_batch(app: App):
    alice, bob = await seen(app, "alice"), await seen(app, "bob")
    async with app.database.driver() as connection:
        stale, fresh = await posting(app, connection, alice), await posting(app, connection, bob)
        await store(connection, [await posting(app, connection, alice)])
        with pytest.raises(ChainMoved):
            await store(connection, [stale, fresh])
    assert await rows(app, "SELECT id FROM score_transactions WHERE user_id = :bob", bob=bob) == []
    assert await rows(app, "SELECT id FROM users WHERE id = :bob AND ledger_seq > 0", bob=bob) == []


async def test_the_failure_says_in_words_what_happened(app: App):
    user_id = await seen(app, "alice")
    async with app.database.driver() as connection:
        one = await posting(app, connection, user_id)
        await store(connection, [one])
        with pytest.raises(ChainMoved) as failure:
            await store(connection, [one])
    assert failure.value.__suppress_context__
    cause = failure.value.__context__
    assert isinstance(cause, DBAPIError)
    assert getattr(cause.orig, "sqlstate", None) == CHAIN_MOVED
    assert "changed after the posting was computed" in str(cause.orig)
