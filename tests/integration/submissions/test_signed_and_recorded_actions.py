"""Actions without a token: signed by the player's client, or recorded by a game's back-end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.config import Settings
from app.domain.errors import (
    AlreadyCompleted,
    BadUserInput,
    DuplicateAction,
    InvalidAction,
    InvalidSignature,
    ScoreCapReached,
    StaleTimestamp,
    TooEarly,
    UserNotFound,
)
from app.domain.ledger.receipts import Receipt
from app.domain.rules.signed_actions import SignedAction, sign
from app.domain.users import Caller, Role
from app.services.submissions.record_action import ActionReport
from app.services.submissions.signing_sessions import NewSigningSession
from app.wiring import App
from tests.support.manual_clock import WallClock
from tests.support.service import caller, opened

COUNT = text("SELECT count(*) FROM score_transactions")


@pytest.fixture
def clock() -> WallClock:
    return WallClock(datetime(2026, 11, 18, 12, 0, tzinfo=UTC))


@pytest.fixture
async def app(settings: Settings, clock: WallClock) -> AsyncIterator[App]:
    async with opened(settings, clock) as app:
        yield app


async def count(app: App) -> int:
    async with app.database.connect() as connection:
        found: int = (await connection.execute(COUNT)).scalar_one()
        return found


def act(session: NewSigningSession, clock: WallClock, **more: Any) -> SignedAction:
    action = SignedAction(session.key_id, uuid4(), "COMPLETE_LEVEL", None, clock())
    return replace(action, **more)


async def submit(app: App, who: Caller, session: NewSigningSession, action: SignedAction) -> Receipt:
    return await app.submit_signed_action(who, action, sign(session.secret, action))


class TestSignedActions:
    async def test_a_signed_action_pays_once_and_a_repeat_gets_the_first_receipt(self, app: App, clock: WallClock):
        alice = caller()
        session = await app.signing_sessions.open(alice)
        action = act(session, clock)
        receipt = await submit(app, alice, session, action)
        assert (receipt.delta, receipt.current_rank) == (50, 1)
        clock.advance(3600)
        with pytest.raises(DuplicateAction) as repeat:
            await submit(app, alice, session, action)
        assert repeat.value.receipt.transaction_id == receipt.transaction_id

    async def test_however_many_submit_it_at_once(self, app: App, clock: WallClock):
        alice = caller()
        session = await app.signing_sessions.open(alice)
        action = act(session, clock)
        work = [submit(app, alice, session, action) for _ in range(30)]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["DuplicateAction"] * 29 + ["Receipt"]

    async def test_an_id_that_was_used_for_another_action_is_an_error(self, app: App, clock: WallClock):
        alice = caller()
        session = await app.signing_sessions.open(alice)
        action = act(session, clock)
        await submit(app, alice, session, action)
        with pytest.raises(BadUserInput):
            await submit(app, alice, session, replace(action, action_type="COMPLETE_QUIZ"))

    async def test_ids_of_different_players_never_meet(self, app: App, clock: WallClock):
        alice, bob = caller("alice"), caller("bob")
        action_id = uuid4()
        for who in (alice, bob):
            session = await app.signing_sessions.open(who)
            assert (await submit(app, who, session, act(session, clock, action_id=action_id))).delta == 50

    @pytest.mark.parametrize(("seconds", "stale"), [(300, False), (301, True), (-300, False), (-301, True)])
    async def test_a_timestamp_may_be_five_minutes_off(self, app: App, clock: WallClock, seconds: int, stale: bool):
        alice = caller()
        session = await app.signing_sessions.open(alice)
        action = act(session, clock, timestamp=clock() + timedelta(seconds=seconds))
        if not stale:
            assert (await submit(app, alice, session, action)).delta == 50
            return
        with pytest.raises(StaleTimestamp):
            await submit(app, alice, session, action)
        assert await count(app) == 0

    async def test_every_wrong_signature_gets_the_same_answer(self, app: App, clock: WallClock):
        alice, bob = caller("alice"), caller("bob")
        session, other = await app.signing_sessions.open(alice), await app.signing_sessions.open(bob)
        action = act(session, clock)
        unknown = act(session, clock, key_id=uuid4())
        right = sign(session.secret, action)
        attempts = [
            (alice, action, ""),
            (alice, action, right[:-1]),
            (alice, action, right.upper()),
            (alice, action, sign(other.secret, action)),
            (alice, replace(action, difficulty="hard"), right),
            (bob, action, right),
            (alice, unknown, sign(session.secret, unknown)),
            (alice, act(other, clock), sign(other.secret, act(other, clock))),
        ]
        for who, what, signature in attempts:
            with pytest.raises(InvalidSignature) as refused:
                await app.submit_signed_action(who, what, signature)
            assert refused.value.message == InvalidSignature.default
        clock.advance(app.settings.signing_session_seconds)
        late = act(session, clock)
        with pytest.raises(InvalidSignature):
            await submit(app, alice, session, late)
        assert await count(app) == 0

    async def test_a_new_session_ends_the_oldest(self, app: App, clock: WallClock):
        alice = caller()
        sessions = []
        for _ in range(app.settings.max_signing_sessions + 1):
            sessions.append(await app.signing_sessions.open(alice))
            clock.advance(1)
        with pytest.raises(InvalidSignature):
            await submit(app, alice, sessions[0], act(sessions[0], clock))
        assert (await submit(app, alice, sessions[1], act(sessions[1], clock))).delta == 50
        clock.advance(app.settings.signing_session_seconds)
        assert await app.cleanup() == app.settings.max_signing_sessions

    async def test_the_rules_of_the_action_hold(self, app: App, clock: WallClock):
        async with app.database.begin() as connection:
            await connection.execute(
                text("UPDATE actions SET min_duration = 60, repeatable = false WHERE id = 'COMPLETE_LEVEL'")
            )
        await app.catalogue.refresh()
        alice = caller()
        session = await app.signing_sessions.open(alice)
        with pytest.raises(TooEarly):
            await submit(app, alice, session, act(session, clock))
        clock.advance(60)
        await submit(app, alice, session, act(session, clock))
        with pytest.raises(AlreadyCompleted):
            await submit(app, alice, session, act(session, clock))
        with pytest.raises(InvalidAction):
            await submit(app, alice, session, act(session, clock, action_type="NOTHING"))

    async def test_a_session_outlives_a_change_of_the_secret(self, settings: Settings, clock: WallClock):
        old = settings.action_token_secret
        alice = caller()
        async with opened(settings, clock) as app:
            session = await app.signing_sessions.open(alice)
        new = type(old)("another secret of at least 32 bytes, just made")
        rotated = settings.model_copy(update={"action_token_secret": new, "action_token_secret_previous": old})
        async with opened(rotated, clock) as app:
            assert (await submit(app, alice, session, act(session, clock))).delta == 50


class TestServerWrites:
    SERVER = caller("the game", Role.SERVER)

    def report(self, **more: Any) -> ActionReport:
        return replace(ActionReport(uuid4(), "COMPLETE_LEVEL", "key 1", username="alice"), **more)

    async def test_the_same_key_and_content_get_the_same_receipt(self, app: App):
        report = self.report()
        outcomes = await asyncio.gather(*(app.record_actions.record(self.SERVER, report) for _ in range(30)))
        assert len({receipt.transaction_id for receipt in outcomes}) == 1
        again = await app.record_actions.record(self.SERVER, replace(report, reason="said twice", username=None))
        assert (again.transaction_id, again.new_score) == (outcomes[0].transaction_id, 50)
        assert await count(app) == 1

    @pytest.mark.parametrize(
        "more", [{"user_id": uuid4()}, {"action_type": "COMPLETE_QUIZ"}, {"action_type": "COMPLETE_MISSION"}]
    )
    async def test_the_same_key_with_other_content_is_an_error(self, app: App, more: dict[str, Any]):
        report = self.report()
        await app.record_actions.record(self.SERVER, report)
        with pytest.raises(BadUserInput):
            await app.record_actions.record(self.SERVER, replace(report, **more))
        assert await count(app) == 1

    async def test_keys_of_different_servers_never_meet(self, app: App):
        report = self.report()
        for server in (self.SERVER, caller("another game", Role.SERVER)):
            assert (await app.record_actions.record(server, report)).delta == 50

    async def test_a_player_without_a_name_must_be_known(self, app: App):
        report = self.report(username=None)
        with pytest.raises(UserNotFound):
            await app.record_actions.record(self.SERVER, report)
        receipt = await app.record_actions.record(self.SERVER, replace(report, username="carol"))
        assert receipt.user.username == "carol"

    async def test_a_name_changes_nobody_who_is_known(self, app: App):
        alice = caller("alice")
        await app.issue_token(alice, "COMPLETE_LEVEL")
        receipt = await app.record_actions.record(self.SERVER, self.report(user_id=alice.user_id, username="mallory"))
        assert receipt.user.username == "alice"

    async def test_without_provisioning_nobody_is_created(self, settings: Settings, clock: WallClock):
        async with opened(settings.model_copy(update={"auto_provision": False}), clock) as app:
            with pytest.raises(UserNotFound):
                await app.record_actions.record(self.SERVER, self.report())

    async def test_the_rules_of_the_action_hold(self, settings: Settings, clock: WallClock):
        async with opened(settings.model_copy(update={"score_cap": 60}), clock) as app:
            report = self.report()
            assert (await app.record_actions.record(self.SERVER, report)).delta == 50
            assert (await app.record_actions.record(self.SERVER, replace(report, idempotency_key="key 2"))).delta == 10
            with pytest.raises(ScoreCapReached):
                await app.record_actions.record(self.SERVER, replace(report, idempotency_key="key 3"))
            with pytest.raises(InvalidAction):
                await app.record_actions.record(self.SERVER, replace(report, idempotency_key="key 4", difficulty="odd"))

    async def test_who_recorded_it_is_in_the_ledger(self, app: App):
        report = self.report(reason="tournament 7")
        await app.record_actions.record(self.SERVER, report, address="8.8.8.8", user_agent="game/1")
        row = text(
            """
            SELECT t.kind, t.actor_id, t.actor_role, o.address, o.user_agent, t.reason
            FROM score_transactions t JOIN transaction_origins o ON o.transaction_id = t.id
            """
        )
        async with app.database.connect() as connection:
            (entry,) = (await connection.execute(row)).all()
        assert tuple(entry) == ("SERVER_ACTION", self.SERVER.user_id, "server", "8.8.8.8", "game/1", "tournament 7")
