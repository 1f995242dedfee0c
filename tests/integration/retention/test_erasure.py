"""Personal data are erased in time, and with their user, and the chains stay valid."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from app.config import Settings
from app.domain.ledger.commitments import commit
from app.domain.ledger.transactions import Actor
from app.domain.users import Caller, Role
from app.wiring import App
from tests.support.boards.ledgers import breaches, rows
from tests.support.manual_clock import WallClock
from tests.support.service import caller, opened

ADDRESS, AGENT, AVATAR = "198.51.100.77", "PersonalBrowser/1.0", "https://pictures.example/zelda.png"
NAME, NOTE, REASON, CHAIN_REASON = "Zelda Fitzgerald", "zelda-metadata", "Zelda asked nicely", "Zelda was wrong"
PERSONAL = (ADDRESS, AGENT, AVATAR, NAME, NOTE, "Zelda", "zelda")
MODERATOR = Actor(caller("moderator").user_id, Role.MODERATOR.value, "198.51.100.99", "Console/2")


def zelda() -> Caller:
    known = caller("subject-4711")
    return Caller(known.user_id, NAME, AVATAR, Role.PLAYER, known.expires_at)


async def play(app: App, who: Caller, action: str = "COMPLETE_LEVEL") -> None:
    token = await app.issue_token(who, action, metadata={"note": NOTE})
    await app.submit_score(who, token.token, {"score": 1}, address=ADDRESS, user_agent=AGENT)


async def live(app: App) -> Caller:
    """Play, be flagged, adjusted, hidden, shown again, and leave an open token and a signing session."""
    who = zelda()
    for _ in range(3):
        await play(app, who)
    await app.moderation.corrections.adjust(MODERATOR, who.user_id, "global", 7, REASON, "key-1")
    await app.moderation.visibility.hide(MODERATOR, who.user_id, CHAIN_REASON)
    await app.moderation.visibility.unhide(MODERATOR, who.user_id, CHAIN_REASON)
    await app.issue_token(who, "COMPLETE_LEVEL", metadata={"note": NOTE})
    await app.signing_sessions.open(who)
    async with app.database.begin() as connection:
        await connection.execute(
            text(
                """
                INSERT INTO flags (id, user_id, category_id, verdict, rules, points, status, created_at, decided_at,
                                   reason)
                SELECT id, user_id, category_id, 'FLAG', '{velocity}', 50, 'RELEASED', created_at, now(), :reason
                FROM score_transactions WHERE user_id = :user LIMIT 1
                """
            ),
            {"user": who.user_id, "reason": REASON},
        )
    await app.ledger.drain()
    await app.milestones.flush()
    return who


async def stored_texts(app: App) -> dict[str, list[str]]:
    """Return the text of every row of every table, and of every key of Redis with its value."""
    async with app.database.connect() as connection:
        tables = (
            await connection.execute(
                text(
                    "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind IN ('r', 'p') "
                    "AND c.relnamespace = 'public'::regnamespace"
                )
            )
        ).scalars()
        found = {
            table: [str(row) for row in (await connection.execute(text(f"SELECT t::text FROM {table} t"))).scalars()]  # noqa: S608
            for table in tables
        }
    # Bytes are printed as hexadecimal digits: the same values, in case one of them is stored as bytes.
    found["redis"] = [repr(await dumped(app, key)) async for key in app.redis.scan_iter()]
    return found


async def dumped(app: App, key: bytes) -> tuple[Any, ...]:
    kind = await app.redis.type(key)
    match kind:
        case b"string":
            value: Any = await app.redis.get(key)
        case b"hash":
            value = await app.redis.hgetall(key)
        case b"zset":
            value = await app.redis.zrange(key, 0, -1, withscores=True)
        case b"set":
            value = await app.redis.smembers(key)
        case b"list":
            value = await app.redis.lrange(key, 0, -1)
        case _:
            value = await app.redis.dump(key)
    return key, value


def traces(found: dict[str, list[str]]) -> set[tuple[str, str]]:
    """Return in which tables which personal values are, as text or as bytes."""
    return {
        (table, value)
        for table, texts in found.items()
        for value in PERSONAL
        for row in texts
        if value in row or value.encode().hex() in row
    }


async def test_nothing_personal_of_a_deleted_user_is_left_anywhere(app: App):
    who = await live(app)
    before = traces(await stored_texts(app))
    assert {("users", NAME), ("transaction_origins", ADDRESS), ("transaction_origins", AGENT)} <= before
    assert {table for table, _ in before} >= {"users", "transaction_origins", "score_transactions", "action_tokens"}
    assert {table for table, _ in before} >= {"flags"}
    deleted = await app.moderation.deletion(MODERATOR, who.user_id, "Zelda wants to be forgotten")
    assert ADDRESS in str(deleted.content), "the export still has what is erased with it"
    assert traces(await stored_texts(app)) == set()
    assert await breaches(app) == []


async def test_an_export_contains_no_address_and_nothing_of_a_deleted_user(app: App):
    who = await live(app)
    content = b"".join([line async for line in app.export.lines(lambda *_: None)]).decode()
    assert ADDRESS not in content
    assert AGENT not in content
    await app.moderation.deletion(MODERATOR, who.user_id, "Zelda wants to be forgotten")
    content = b"".join([line async for line in app.export.lines(lambda *_: None)]).decode()
    assert [value for value in PERSONAL if value in content] == []


async def test_addresses_are_erased_after_their_retention_and_the_chains_stay_valid(settings: Settings):
    clock = WallClock()
    async with opened(settings.model_copy(update={"address_retention_days": 2}), clock) as app:
        await play(app, zelda())
        clock.advance(days=1)
        await play(app, zelda())
        await app.cleanup()
        assert len(await rows(app, "SELECT 1 FROM transaction_origins")) == 2
        clock.advance(days=1, hours=1)
        await app.cleanup()
        assert len(await rows(app, "SELECT 1 FROM transaction_origins")) == 1
        clock.advance(days=1)
        await app.cleanup()
        assert await rows(app, "SELECT 1 FROM transaction_origins") == []
        commitments = await rows(app, "SELECT address_commitment AS c FROM score_transactions")
        assert all(row.c for row in commitments)
        assert await breaches(app) == []


async def test_a_commitment_says_which_address_it_was_as_long_as_there_is_a_salt(app: App):
    await play(app, zelda())
    (row,) = await rows(
        app,
        """
        SELECT o.salt, o.address, t.address_commitment, t.user_agent_commitment
        FROM score_transactions t JOIN transaction_origins o ON o.transaction_id = t.id
        """,
    )
    assert row.address == ADDRESS
    assert commit(row.salt, "address", ADDRESS) == row.address_commitment
    assert commit(row.salt, "address", "198.51.100.78") != row.address_commitment
    assert commit(row.salt, "user_agent", AGENT) == row.user_agent_commitment


async def test_equal_addresses_have_different_commitments(app: App):
    for _ in range(3):
        await play(app, zelda())
    found = await rows(app, "SELECT DISTINCT address_commitment FROM score_transactions")
    assert len(found) == 3


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE transaction_origins SET address = '203.0.113.1'", "its address does not match"),
        ("UPDATE transaction_origins SET user_agent = NULL", "its user agent does not match"),
        ("UPDATE score_transactions SET reason = 'other' WHERE reason IS NOT NULL", "its reason does not match"),
        ("UPDATE score_transactions SET reason = NULL WHERE reason IS NOT NULL", "its reason does not match"),
    ],
)
async def test_personal_data_that_were_altered_are_named(app: App, statement: str, named: str):
    who = zelda()
    await play(app, who)
    await app.moderation.visibility.hide(MODERATOR, who.user_id, REASON)
    async with app.database.begin() as connection:
        await connection.execute(text(statement))
    assert any(named in sentence for sentence in await breaches(app))


async def test_many_accounts_on_one_address_are_still_noticed(settings: Settings):
    limited = settings.fraud_thresholds.__class__(accounts_per_address_flag=3)
    async with opened(settings.model_copy(update={"fraud_thresholds": limited})) as app:
        for number in range(4):
            who = caller(f"player {number}")
            token = await app.issue_token(who, "COMPLETE_LEVEL")
            await app.submit_score(who, token.token, address="8.8.8.8")
        flags = await rows(app, "SELECT rules FROM flags")
        assert ["crowded_address"] in [list(row.rules) for row in flags]


async def test_a_user_deletes_while_others_play(settings: Settings):
    async with opened(settings) as app:
        who = await live(app)
        others = [caller(f"player {number}") for number in range(6)]

        async def keep_playing(other: Caller) -> None:
            for _ in range(5):
                await play(app, other)

        await asyncio.gather(
            *(keep_playing(other) for other in others),
            app.moderation.deletion(MODERATOR, who.user_id, "Zelda wants to be forgotten"),
        )
        (left,) = await rows(
            app, "SELECT count(*) AS origins FROM transaction_origins WHERE user_id = :user", user=who.user_id
        )
        assert left.origins == 0
        assert await breaches(app) == []
