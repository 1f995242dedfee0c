"""The ledger of the first release is converted with its data, and converted back."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import alembic.util
import asyncpg
import pytest
from sqlalchemy import make_url

from app.config import Settings
from app.domain.errors import ActionTokenUsed
from app.models import migrate
from app.models.revisions import read_revisions
from app.wiring import App
from tests.support.boards.ledgers import breaches, rows
from tests.support.service import caller, opened, settings_for
from tests.support.stores import Databases

ALICE, BOB = caller("alice").user_id, caller("bob").user_id
NOW = datetime.now(UTC).replace(microsecond=123_456)
MONTHS = 8
COLUMNS = (
    "id", "user_id", "seq", "category_id", "action_id", "kind", "points", "delta", "score", "token_hash",
    "request_key", "request_hash", "actor_id", "actor_role", "address", "user_agent", "reason", "created_at",
    "previous_hash", "hash",
)  # fmt: skip


def hash_of(entry: dict[str, Any]) -> bytes:
    """Return the hash of a transaction as the first release computes it."""
    content = [
        str(entry["id"]), str(entry["user_id"]), entry["seq"], entry["category_id"], entry["action_id"], entry["kind"],
        entry["points"], entry["delta"], entry["score"], entry["token_hash"] and entry["token_hash"].hex(),
        entry["request_key"], entry["request_hash"] and entry["request_hash"].hex(),
        entry["actor_id"] and str(entry["actor_id"]), entry["actor_role"], entry["address"], entry["user_agent"],
        entry["reason"], round(entry["created_at"].timestamp() * 1_000_000),
    ]  # fmt: skip
    canonical = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(entry["previous_hash"] + canonical.encode()).digest()


def chain_of(user_id: UUID) -> list[dict[str, Any]]:
    """Return a chain with a transaction per month, each with an address, some with a token, a key or a reason."""
    chain: list[dict[str, Any]] = []
    for seq in range(1, MONTHS + 1):
        entry: dict[str, Any] = dict.fromkeys(COLUMNS) | {
            "id": uuid4(), "user_id": user_id, "seq": seq, "category_id": "global", "action_id": "COMPLETE_QUIZ",
            "kind": "SERVER_ACTION" if seq % 2 else "ACTION", "points": 10, "delta": 10, "score": 10 * seq,
            "token_hash": None if seq % 2 else hashlib.sha256(f"{user_id}{seq}".encode()).digest(),
            "request_key": f"server:{user_id}:{seq}" if seq % 2 else None, "actor_role": "player",
            "address": f"203.0.113.{seq}", "user_agent": 'A "browser" 李', "reason": "for Ada" if seq == 3 else None,
            "created_at": NOW - timedelta(days=31 * (MONTHS - seq)),
            "previous_hash": chain[-1]["hash"] if chain else b"",
        }  # fmt: skip
        chain.append(entry | {"hash": hash_of(entry)})
    return chain


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=60)
    try:
        yield connection
    finally:
        await connection.close(timeout=10)


async def fill(connection: asyncpg.Connection, *chains: list[dict[str, Any]]) -> None:
    """Store chains, with the users, tokens and scores that belong to them, in the tables of the first release."""
    for chain in chains:
        last = chain[-1]
        await connection.execute(
            "INSERT INTO users (id, username, claimed_username, ledger_seq, ledger_hash) VALUES ($1, $2, $2, $3, $4)",
            last["user_id"], str(last["user_id"])[:8], last["seq"], last["hash"],
        )  # fmt: skip
        for entry in chain:
            if entry["token_hash"]:
                await connection.execute(
                    """
                    INSERT INTO action_tokens (token_hash, user_id, action_id, points, issued_at, expires_at, used_at)
                    VALUES ($1, $2, 'COMPLETE_QUIZ', 10, $3, $3, $3)
                    """,
                    entry["token_hash"], entry["user_id"], entry["created_at"],
                )  # fmt: skip
        await connection.copy_records_to_table(
            "score_transactions", records=[tuple(entry[name] for name in COLUMNS) for entry in chain], columns=COLUMNS
        )
        await connection.execute(
            """
            INSERT INTO scores (category_id, period, window_start, user_id, score, sort_key, reached_at)
            VALUES ('global', 'ALL_TIME', '1970-01-01', $1, $2::int, -$2::int, $3)
            """,
            last["user_id"], last["score"], last["created_at"],
        )  # fmt: skip
        await connection.execute(
            """
            INSERT INTO flags (id, user_id, category_id, verdict, rules, points, created_at)
            VALUES ($1, $2, 'global', 'FLAG', '{velocity}', 10, $3)
            """,
            last["id"], last["user_id"], last["created_at"],
        )  # fmt: skip
        await connection.execute(
            """
            INSERT INTO scores (category_id, period, window_start, user_id, score, sort_key, reached_at)
            SELECT 'global', w.period, w.start, $1, 10 , -10, t.created_at
            FROM score_transactions t CROSS JOIN LATERAL (VALUES
                ('DAILY', (t.created_at AT TIME ZONE 'UTC')::date),
                ('WEEKLY', date_trunc('week', t.created_at AT TIME ZONE 'UTC')::date),
                ('MONTHLY', date_trunc('month', t.created_at AT TIME ZONE 'UTC')::date)
            ) AS w(period, start) WHERE t.user_id = $1
            ON CONFLICT (user_id, category_id, period, window_start)
            DO UPDATE SET score = scores.score + 10, sort_key = scores.sort_key - 10
            """,
            last["user_id"],
        )


@pytest.fixture
async def old_url(databases: Databases) -> AsyncIterator[str]:
    """A database of the first release with two chains."""
    url = await databases.create()
    await asyncio.to_thread(migrate.downgrade, url, "0001_baseline")
    async with connected(url) as connection:
        await fill(connection, chain_of(ALICE), chain_of(BOB))
    yield url
    await databases.drop(url)


async def test_a_ledger_is_converted_and_every_invariant_holds(old_url: str, redis_url: str):
    await asyncio.to_thread(migrate.upgrade, old_url)
    async with opened(settings_for(old_url, redis_url)) as app:
        assert await breaches(app) == []
        assert await app.anchors.anchor() == 2
        partitions = await rows(app, "SELECT DISTINCT tableoid::regclass::text AS name FROM score_transactions")
        months = {entry["created_at"].strftime("score_transactions_%Y_%m") for entry in chain_of(ALICE)}
        assert {row.name for row in partitions} == months
        found = await rows(
            app,
            """
            SELECT o.address, o.user_agent, t.reason FROM score_transactions t
            JOIN transaction_origins o ON o.transaction_id = t.id WHERE t.user_id = :user ORDER BY seq
            """,
            user=ALICE,
        )
        expected = [(entry["address"], entry["user_agent"], entry["reason"]) for entry in chain_of(ALICE)]
        assert [tuple(row) for row in found] == expected
        assert len(await rows(app, "SELECT 1 FROM request_keys WHERE NOT permanent")) == MONTHS
        assert [row.action_id for row in await rows(app, "SELECT action_id FROM flags")] == ["COMPLETE_QUIZ"] * 2


async def test_a_converted_token_still_gets_the_first_receipt(old_url: str, redis_url: str):
    await asyncio.to_thread(migrate.upgrade, old_url)
    async with opened(settings_for(old_url, redis_url)) as app:
        (token,) = await rows(
            app, "SELECT token_hash, transaction_id FROM action_tokens WHERE user_id = :user LIMIT 1", user=ALICE
        )
        with pytest.raises(ActionTokenUsed) as refusal:
            await app.ledger.refuse_used_token(token.token_hash, ALICE)
        assert refusal.value.receipt.transaction_id == token.transaction_id


async def test_a_ledger_that_was_converted_back_satisfies_the_older_version(old_url: str):
    await asyncio.to_thread(migrate.upgrade, old_url)
    await asyncio.to_thread(migrate.downgrade, old_url, "0001_baseline")
    async with connected(old_url) as connection:
        entries = await connection.fetch("SELECT * FROM score_transactions ORDER BY user_id, seq")
        assert len(entries) == 2 * MONTHS
        previous: dict[UUID, bytes] = {}
        for entry in entries:
            assert entry["previous_hash"] == previous.get(entry["user_id"], b"")
            assert entry["hash"] == hash_of(dict(entry))
            assert not entry["address"].startswith("203.0.113"), "the address is a commitment now"
            previous[entry["user_id"]] = entry["hash"]
        heads = await connection.fetch("SELECT id, ledger_hash FROM users")
        assert {row["id"]: row["ledger_hash"] for row in heads} == previous
    await asyncio.to_thread(migrate.upgrade, old_url)
    async with connected(old_url) as connection:
        assert await connection.fetchval("SELECT count(*) FROM score_transactions") == 2 * MONTHS


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE score_transactions SET points = 11 WHERE seq = 4 AND user_id = $1",
        "DELETE FROM score_transactions WHERE seq = 4 AND user_id = $1",
    ],
)
async def test_a_ledger_that_was_tampered_with_is_not_given_new_hashes(old_url: str, change: str):
    async with connected(old_url) as connection:
        await connection.execute(change, BOB)
    with pytest.raises(alembic.util.CommandError, match=f"user {BOB}, transaction [45] .* does not match its hash"):
        await asyncio.to_thread(migrate.upgrade, old_url)
    assert (await asyncio.to_thread(read_revisions, old_url)).current == "0001_baseline"


async def test_a_downgrade_is_refused_where_a_request_key_was_used_again(settings: Settings, app: App):
    await app.users.ensure(caller("alice"))
    async with app.database.begin() as connection:
        await connection.exec_driver_sql(
            f"""
            INSERT INTO score_transactions (id, user_id, seq, kind, points, delta, score, request_key, actor_role,
                                            created_at, previous_hash, hash)
            SELECT gen_random_uuid(), '{ALICE}', n, 'HIDING', 0, 0, 0, 'server:x', 'server', now(), '', ''
            FROM generate_series(1, 2) n
            """  # noqa: S608
        )
    assert settings.database_url is not None
    with pytest.raises(alembic.util.CommandError, match="the request key server:x was used again"):
        await asyncio.to_thread(migrate.downgrade, settings.database_url, "0001_baseline")
