"""Whoever changes the ledger behind the service's back is found out, and what was changed is named."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from app.domain.users import Caller
from app.wiring import App
from tests.support.service import caller


async def play(app: App, who: Caller, times: int = 1) -> None:
    for _ in range(times):
        await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)


async def tamper(app: App, *statements: str, **values: Any) -> None:
    async with app.database.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement), values)


async def breaches(app: App) -> dict[str, list[str]]:
    """What `leaderboard verify` says, by check, without the checks that are content."""
    findings = await app.verify.run(lambda *_: None)
    return {finding.name: finding.violations for finding in findings if finding.violations}


@pytest.fixture
async def alice(app: App) -> Caller:
    """A player with five anchored transactions, among others."""
    alice, bob = caller("alice"), caller("bob")
    await play(app, alice, 3)
    await play(app, bob, 2)
    assert await app.anchors.anchor() == 2
    await play(app, alice, 2)
    assert await app.anchors.anchor() == 1
    assert await breaches(app) == {}
    return alice


async def test_nothing_new_makes_no_anchor(app: App, alice: Caller):
    assert await app.anchors.anchor() == 0
    assert await app.anchors.anchor_all() == 0


async def test_what_never_passed_by_the_service_is_anchored_in_the_end(app: App, alice: Caller):
    old = "UPDATE score_transactions SET created_at = created_at - interval '1 year'"
    carol = caller("carol")
    await play(app, carol)
    await tamper(app, old)
    assert (await app.anchors.anchor(), await app.anchors.anchor_all()) == (0, 1)


@pytest.mark.parametrize(
    "change",
    ["points = points + 1", "delta = delta", "reason = 'nothing'", "address_commitment = '8.8.8.8'",
     "actor_role = 'server'", "created_at = created_at + interval '1 microsecond'"],
)  # fmt: skip
async def test_an_altered_transaction_is_named(app: App, alice: Caller, change: str):
    await tamper(app, f"UPDATE score_transactions SET {change} WHERE user_id = :user AND seq = 2", user=alice.user_id)  # noqa: S608
    found = await breaches(app)
    if change == "delta = delta":
        assert found == {}
    else:
        (sentence,) = found["chains"]
        assert f"user {alice.user_id}, transaction 2" in sentence


async def test_a_removed_transaction_is_named(app: App, alice: Caller):
    await tamper(app, "DELETE FROM score_transactions WHERE user_id = :user AND seq = 2", user=alice.user_id)
    assert f"user {alice.user_id}, transaction 3" in (await breaches(app))["chains"][0]


async def test_an_inserted_transaction_is_named(app: App, alice: Caller):
    await tamper(
        app,
        """
        INSERT INTO score_transactions (id, user_id, seq, category_id, action_id, kind, points, delta, score, actor_id,
            actor_role, address_commitment, user_agent_commitment, reason_commitment, created_at, previous_hash, hash)
        SELECT gen_random_uuid(), user_id, seq + 1, category_id, action_id, kind, points, delta, score, actor_id,
            actor_role, address_commitment, user_agent_commitment, reason_commitment, created_at, hash, sha256(hash)
        FROM score_transactions WHERE user_id = :user AND seq = 5
        """,
        user=alice.user_id,
    )
    assert f"user {alice.user_id}, transaction 6" in (await breaches(app))["chains"][0]


CUT = (
    "DELETE FROM score_transactions WHERE user_id = :user AND seq > 1",
    """
    UPDATE users u SET ledger_seq = 1, ledger_hash = t.hash FROM score_transactions t
    WHERE u.id = :user AND t.user_id = u.id AND t.seq = 1
    """,
    "UPDATE scores SET score = 50, sort_key = -50 WHERE user_id = :user",
    "DELETE FROM action_tokens WHERE user_id = :user",
)


async def test_a_tail_that_was_cut_off_together_with_its_head_is_named_by_the_anchors(app: App, alice: Caller):
    await tamper(app, *CUT, user=alice.user_id)
    found = await breaches(app)
    assert "chains" not in found, "the chain itself looks whole"
    assert found["anchors"] == [
        f"user {alice.user_id}, transaction {seq}: it is in anchor {anchor}, but the chain ends with 1"
        for seq, anchor in ((3, 1), (5, 2))
    ]


async def test_a_user_who_was_removed_altogether_is_named_by_the_anchors(app: App, alice: Caller):
    tables = ("milestones", "action_tokens", "scores", "score_transactions")
    gone = [f"DELETE FROM {table} WHERE user_id = :user" for table in tables]  # noqa: S608
    await tamper(app, *gone, "DELETE FROM users WHERE id = :user", user=alice.user_id)
    assert f"user {alice.user_id}" in (await breaches(app))["anchors"][0]


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE ledger_anchor_heads SET hash = 'x' WHERE anchor = 1", "anchor 1"),
        ("DELETE FROM ledger_anchor_heads WHERE anchor = 2", "anchor 2"),
        ("UPDATE ledger_anchors SET created_at = now() WHERE number = 1", "anchor 1"),
        ("UPDATE ledger_anchors SET hash = 'x' WHERE number = 1", "anchor 1"),
    ],
)
async def test_an_altered_anchor_is_named(app: App, alice: Caller, statement: str, named: str):
    await tamper(app, statement)
    assert any(sentence.startswith(named) for sentence in (await breaches(app))["anchors"])


async def test_a_removed_anchor_is_noticed(app: App, alice: Caller):
    await tamper(app, "DELETE FROM ledger_anchor_heads WHERE anchor = 1", "DELETE FROM ledger_anchors WHERE number = 1")
    assert (await breaches(app))["anchors"] == ["anchor 2: the anchor before it is 0, so anchors are missing"]
