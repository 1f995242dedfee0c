"""What a reported completion goes through: rules, fraud, verifier; and what becomes of its token."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from app.config import Settings, SettingsError
from app.domain.errors import (
    ActionTokenExpired,
    ActionTokenUsed,
    BadUserInput,
    CooldownActive,
    DailyLimitReached,
    ServiceUnavailable,
    TooEarly,
    TooManyOpenTokens,
    UnderReview,
    VerificationFailed,
)
from app.domain.rules.fraud import Thresholds
from app.domain.users import Caller
from app.wiring import App, open_app
from tests.support.manual_clock import WallClock
from tests.support.service import caller, opened
from tests.support.wait_until import TIMEOUT, until
from tests.support.webhook import Webhook, running_webhook

SECRET = "a secret between the service and the game"
WEBHOOK = {"*": "app.services.submissions.verifiers.webhook:webhook"}
LEDGER = text("SELECT kind, points, delta, score FROM score_transactions ORDER BY seq")
FLAGS = text("SELECT verdict, rules, points, status FROM flags")
DURATION = text("UPDATE actions SET min_duration = 2, cooldown = 5 WHERE id = 'COMPLETE_LEVEL'")


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    async with running_webhook() as webhook:
        yield webhook


def checking(settings: Settings, webhook: Webhook, **more: Any) -> Settings:
    given = {
        "completion_verifiers": WEBHOOK,
        "verifier_webhook_url": webhook.url,
        "verifier_webhook_secret": SECRET,
        "spot_check_rate": 1.0,
        "verifier_timeout": 10.0,
    }
    return type(settings)(**(settings.model_dump() | given | more))


@pytest.fixture
def clock() -> WallClock:
    return WallClock(datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=900_000))


async def issue(app: App, who: Caller, action: str = "COMPLETE_LEVEL") -> str:
    return (await app.issue_token(who, action)).token


async def ledger(app: App) -> list[tuple[Any, ...]]:
    async with app.database.connect() as connection:
        return [tuple(row) for row in await connection.execute(LEDGER)]


async def open_tokens(app: App, who: Caller) -> int:
    return await app.action_tokens.count_open(who.user_id)


async def test_the_game_is_asked_with_all_it_needs_and_proof_of_who_asks(settings: Settings, webhook: Webhook):
    async with opened(checking(settings, webhook)) as app:
        alice = caller()
        await app.submit_score(alice, await issue(app, alice), {"replay": "seed 17", "big": 2**70})
    ((headers, body),) = webhook.asked
    question = json.loads(body)
    assert question["userId"] == str(alice.user_id)
    assert (question["actionType"], question["category"], question["points"]) == ("COMPLETE_LEVEL", "global", 50)
    assert question["data"] == {"replay": "seed 17", "big": 2**70}
    assert question["suspect"] is False
    signed = f"{headers['x-leaderboard-timestamp']}.".encode() + body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["x-leaderboard-signature"] == f"v1={expected}"


async def test_what_the_game_denies_is_refused_and_changes_nothing(settings: Settings, webhook: Webhook):
    webhook.body = b'{"accepted": false}'
    async with opened(checking(settings, webhook)) as app:
        alice = caller()
        token = await issue(app, alice)
        with pytest.raises(VerificationFailed):
            await app.submit_score(alice, token)
        assert await ledger(app) == []
        assert await open_tokens(app, alice) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b"{}"), (404, b'{"accepted": true}'), (200, b"yes"), (200, b"[]"), (200, b'{"accepted": "true"}'),
     (200, b"x" * 5000), (302, b'{"accepted": true}')],
)  # fmt: skip
async def test_a_game_that_talks_nonsense_is_a_passing_fault(
    settings: Settings, webhook: Webhook, status: int, body: bytes
):
    webhook.status, webhook.body = status, body
    async with opened(checking(settings, webhook)) as app:
        alice = caller()
        token = await issue(app, alice)
        with pytest.raises(ServiceUnavailable):
            await app.submit_score(alice, token)
        webhook.status, webhook.body = 200, b'{"accepted": true}'
        assert (await app.submit_score(alice, token)).delta == 50


async def test_a_game_that_does_not_answer_is_given_up_and_soon_not_asked_any_more(
    settings: Settings, webhook: Webhook
):
    webhook.open.clear()
    async with opened(checking(settings, webhook, verifier_timeout=0.1)) as app:
        alice = caller()
        token = await issue(app, alice)
        for _ in range(6):
            with pytest.raises(ServiceUnavailable):
                await app.submit_score(alice, token)
        assert len(webhook.asked) < 6, "the breaker is open"
        assert await open_tokens(app, alice) == 1


async def test_a_game_that_is_asked_holds_up_nobody_else(settings: Settings, webhook: Webhook):
    webhook.open.clear()
    path = {"COMPLETE_LEVEL": WEBHOOK["*"]}
    async with opened(checking(settings, webhook, completion_verifiers=path, verifier_timeout=3600)) as app:
        alice, bob = caller("alice"), caller("bob")
        slow = asyncio.create_task(app.submit_score(alice, await issue(app, alice)))
        await until(lambda: bool(webhook.asked))
        async with asyncio.timeout(TIMEOUT):
            assert (await app.submit_score(bob, await issue(app, bob, "COMPLETE_QUIZ"))).delta == 10
            assert (await app.submit_score(alice, await issue(app, alice, "COMPLETE_QUIZ"))).delta == 10
        webhook.open.set()
        assert (await slow).delta == 50


async def test_a_replay_never_reaches_the_game(settings: Settings, webhook: Webhook):
    async with opened(checking(settings, webhook)) as app:
        alice = caller()
        token = await issue(app, alice)
        await app.submit_score(alice, token)
        with pytest.raises(ActionTokenUsed):
            await app.submit_score(alice, token)
    assert len(webhook.asked) == 1


async def test_without_a_spot_check_only_suspects_are_verified(settings: Settings, webhook: Webhook, clock: WallClock):
    thresholds = Thresholds(even_length=3)
    quiet = checking(settings, webhook, spot_check_rate=0.0, fraud_thresholds=thresholds)
    async with opened(quiet, clock) as app:
        alice = caller()
        for _ in range(2):
            await app.submit_score(alice, await issue(app, alice))
            clock.advance(10)
        assert webhook.asked == []
        await app.submit_score(alice, await issue(app, alice))
        clock.advance(100)
        await app.submit_score(alice, await issue(app, alice))
        assert [json.loads(body)["suspect"] for _, body in webhook.asked] == [True, True], (
            "once flagged, always verified"
        )
        async with app.database.connect() as connection:
            assert [tuple(row) for row in await connection.execute(FLAGS)] == [("FLAG", ["even_spacing"], 50, "OPEN")]


async def test_a_held_completion_is_recorded_and_counts_nowhere(settings: Settings, clock: WallClock):
    thresholds = Thresholds(history=4, even_length=3)
    async with opened(type(settings)(**(settings.model_dump() | {"fraud_thresholds": thresholds})), clock) as app:
        alice = caller()
        for _ in range(3):
            await app.submit_score(alice, await issue(app, alice))
            clock.advance(10)
        token = await issue(app, alice)
        for _ in range(2):
            with pytest.raises(UnderReview):
                await app.submit_score(alice, token)
        assert (await ledger(app))[-1] == ("HELD", 50, 0, 150)
        assert len(await ledger(app)) == 4
        assert await open_tokens(app, alice) == 0
        (held,) = await app.moderation.reviews.held(alice.user_id)
        assert (held.points, held.status.value, held.rules) == (50, "OPEN", ("even_spacing",))


async def test_refusals_for_passing_reasons_leave_the_token_usable(settings: Settings, clock: WallClock):
    async with opened(settings, clock) as app:
        async with app.database.begin() as connection:
            await connection.execute(DURATION)
        await app.catalogue.refresh()
        alice = caller()
        token, other = await issue(app, alice), await issue(app, alice)
        clock.advance(1.999)
        with pytest.raises(TooEarly) as early:
            await app.submit_score(alice, token)
        assert early.value.retry_after == 1
        clock.advance(0.001)
        assert (await app.submit_score(alice, token)).delta == 50
        with pytest.raises(CooldownActive) as resting:
            await app.submit_score(alice, other)
        clock.advance(resting.value.retry_after)
        assert (await app.submit_score(alice, other)).delta == 50


async def test_an_expired_token_says_so_unless_it_was_used_in_time(settings: Settings, clock: WallClock):
    async with opened(settings, clock) as app, opened(settings, clock) as another:
        alice, bob = caller("alice"), caller("bob")
        used, unused = await issue(app, alice), await issue(app, alice)
        receipt = await app.submit_score(alice, used)
        clock.advance(settings.token_expiration_seconds - 0.9 - 0.000_001)
        assert (await another.submit_score(alice, await issue(app, alice))).delta == 50
        clock.advance(0.000_001)
        for place in (app, another):
            with pytest.raises(ActionTokenUsed) as replay:
                await place.submit_score(alice, used)
            assert replay.value.receipt.transaction_id == receipt.transaction_id
            for who, token in ((alice, unused), (bob, used), (bob, unused)):
                with pytest.raises(ActionTokenExpired):
                    await place.submit_score(who, token)


async def test_tokens_cannot_be_hoarded(settings: Settings, clock: WallClock):
    async with opened(settings.model_copy(update={"max_open_tokens": 3}), clock) as app:
        alice, bob = caller("alice"), caller("bob")
        tokens = [await issue(app, alice) for _ in range(3)]
        clock.advance(100)
        with pytest.raises(TooManyOpenTokens) as full:
            await issue(app, alice)
        assert full.value.retry_after == 200
        await issue(app, bob)
        await app.submit_score(alice, tokens[0])
        await issue(app, alice)
        clock.advance(full.value.retry_after)
        await issue(app, alice)
        with pytest.raises(TooManyOpenTokens):
            await asyncio.gather(*(issue(app, alice) for _ in range(5)))
        assert await open_tokens(app, alice) == 3


async def test_a_daily_limit_of_any_size_is_counted(settings: Settings, clock: WallClock):
    async with opened(settings, clock) as app:
        async with app.database.begin() as connection:
            await connection.execute(text("UPDATE actions SET daily_limit = 30 WHERE id = 'COMPLETE_QUIZ'"))
        await app.catalogue.refresh()
        alice = caller()
        token = await issue(app, alice, "COMPLETE_QUIZ")
        for _ in range(30):
            await app.submit_score(alice, await issue(app, alice, "COMPLETE_QUIZ"))
        with pytest.raises(DailyLimitReached) as reached:
            await app.submit_score(alice, token)
        assert reached.value.retry_after == 12 * 3600


@pytest.mark.parametrize(
    "data", ["x" * 8191, {"a": "ä" * 5000}, float("inf")], ids=["a byte too long", "wide", "no JSON"]
)
async def test_data_is_bounded_json(app: App, data: Any):
    alice = caller()
    with pytest.raises(BadUserInput):
        await app.submit_score(alice, await issue(app, alice), data)


@pytest.mark.parametrize(
    "path",
    [
        "no.such.module:verify",
        "app.services.submissions.verifiers.webhook:nothing",
        "app.services.submissions.verifiers.webhook:webhook",
    ],
)
async def test_a_verifier_that_cannot_be_made_is_told_at_the_start(settings: Settings, path: str):
    wrong = settings.model_copy(update={"completion_verifiers": {"*": path}})
    with pytest.raises(SettingsError, match="COMPLETION_VERIFIERS"):
        async with open_app(wrong):
            pass
