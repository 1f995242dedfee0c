"""Outcomes and decisions as clients, game back-ends and moderators see them, over the wire."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.config import Settings
from app.domain.rules.fraud import Thresholds
from app.domain.rules.signed_actions import SignedAction, sign
from app.domain.users import Role
from tests.support.graphql.socket_client import SocketClient, connected
from tests.support.service import BOARD, ISSUE, Player, Service, serving
from tests.support.webhook import Webhook, running_webhook

OUTCOME = """
    __typename
    ... on ScoreAccepted { transactionId previousScore newScore scoreDelta currentRank user { id username } }
    ... on RetryableError { retryAfter }
    ... on UserError { code message }
"""
SUBMIT = f"""mutation Submit($input: SubmitScoreInput!) {{ outcome: submitScore(input: $input) {{
    {OUTCOME} ... on ActionTokenUsed {{ receipt {{ transactionId }} }}
}} }}"""
SIGNED = f"""mutation Signed($input: SubmitSignedActionInput!) {{ outcome: submitSignedAction(input: $input) {{
    {OUTCOME} ... on DuplicateAction {{ receipt {{ transactionId newScore }} }}
}} }}"""
RECORD = f"mutation Record($input: RecordActionInput!) {{ outcome: recordAction(input: $input) {{ {OUTCOME} }} }}"
OPEN = "mutation { openSigningSession { keyId secret expiresAt } }"
ADJUST = "mutation A($input: AdjustScoreInput!) { adjustScore(input: $input) { transactionId newScore currentRank } }"
REVERT = 'mutation R($id: ID!) { revertTransaction(transactionId: $id, reason: "a bot") { newScore scoreDelta } }'
HIDE = 'mutation H($id: ID!) { hideUser(userId: $id, reason: "a bot") { hidden user { username } } }'
UNHIDE = 'mutation U($id: ID!) { unhideUser(userId: $id, reason: "a mistake") { hidden } }'
DELETE = 'mutation D($id: ID!) { deleteUser(userId: $id, reason: "asked") { export user { username avatarUrl } } }'
RELEASE = 'mutation R($id: ID!) { releaseHeld(flagId: $id, reason: "just good") { status decidedBy reason } }'
REJECT = 'mutation R($id: ID!) { rejectHeld(flagId: $id, reason: "a bot") { status } }'
FLAGS = """
query F($status: FlagStatus! = OPEN) {
  flags(status: $status) { nodes { id transactionId verdict rules points user { username } } }
}
"""
ME = "{ me { user { id } heldScores { transactionId points status actionType category heldAt decidedAt } } }"
RANK = "query R($id: ID!) { userRank(userId: $id) { rank score totalUsers usersBelow } }"
WATCH = """
subscription { leaderboardUpdates {
  leaderboard { totalUsers entries { rank score user { username } } }
  changes { user { username } oldRank newRank }
} }
"""
AROUND = """
query Around($id: ID!, $after: String) { leaderboard {
  totalUsers
  around(userId: $id) { rank user { username } }
  standings(first: 2, after: $after) { totalCount nodes { rank user { username } } pageInfo { endCursor hasNextPage } }
} }
"""


@pytest.fixture
def moderator(service: Service) -> Player:
    return service.player("the moderator", Role.MODERATOR)


async def id_of(player: Player) -> str:
    found: str = (await player.ask(ME))["me"]["user"]["id"]
    return found


async def names(player: Player) -> list[tuple[int, str]]:
    """Ranks and names on the board; the total must fit."""
    board = (await player.ask(BOARD))["leaderboard"]
    assert board["totalUsers"] == len(board["entries"])
    return [(entry["rank"], entry["user"]["username"]) for entry in board["entries"]]


async def players_with_the_same_score(service: Service, count: int = 4) -> list[Player]:
    players = [service.player(f"player {number}") for number in range(1, count + 1)]
    for player in players:
        await player.play()
    return players


async def see(client: SocketClient, expected: list[str]) -> dict[str, Any]:
    """The first message that shows exactly these users, in ranks without a gap."""
    while True:
        update: dict[str, Any] = (await client.hear_next())["data"]["leaderboardUpdates"]
        entries = update["leaderboard"]["entries"]
        assert [entry["rank"] for entry in entries] == list(range(1, len(entries) + 1))
        assert update["leaderboard"]["totalUsers"] == len(entries)
        if [entry["user"]["username"] for entry in entries] == expected:
            return update


@pytest.mark.parametrize(
    "operation",
    [
        (ADJUST, {"input": {"userId": str(uuid4()), "adjustment": {"delta": 5}, "reason": "r", "idempotencyKey": "k"}}),
        *[(mutation, {"id": str(uuid4())}) for mutation in (REVERT, HIDE, UNHIDE, DELETE, RELEASE, REJECT)],
        (FLAGS, {}),
        (RECORD, {"input": {"user": {"id": str(uuid4())}, "actionType": "COMPLETE_LEVEL", "idempotencyKey": "k"}}),
    ],
    ids=["adjust", "revert", "hide", "unhide", "delete", "release", "reject", "flags", "record"],
)
async def test_only_who_may_decides(service: Service, operation: tuple[str, dict[str, Any]]):
    query, variables = operation
    wrong = Role.MODERATOR if query == RECORD else Role.SERVER
    assert (await service.anonymous.fails(query, **variables))["code"] == "UNAUTHENTICATED"
    for role in (Role.PLAYER, wrong):
        assert (await service.player("mallory", role).fails(query, **variables))["code"] == "FORBIDDEN"


async def test_a_hidden_user_leaks_through_no_rank_total_neighbour_or_cursor(service: Service, moderator: Player):
    players = await players_with_the_same_score(service)
    ids = [await id_of(player) for player in players]
    page = (await service.anonymous.ask(AROUND, id=ids[0]))["leaderboard"]["standings"]
    hidden = (await moderator.ask(HIDE, id=ids[1]))["hideUser"]
    assert hidden == {"hidden": True, "user": {"username": "player 2"}}
    left = [(1, "player 1"), (2, "player 3"), (3, "player 4")]
    assert await names(service.anonymous) == left
    board = (await service.anonymous.ask(AROUND, id=ids[2], after=page["pageInfo"]["endCursor"]))["leaderboard"]
    assert [(entry["rank"], entry["user"]["username"]) for entry in board["around"]] == left
    assert (board["totalUsers"], board["standings"]["totalCount"]) == (3, 3)
    assert [node["user"]["username"] for node in board["standings"]["nodes"]] == ["player 3", "player 4"]
    place = (await service.anonymous.ask(RANK, id=ids[1]))["userRank"]
    assert place == {"rank": None, "score": 0, "totalUsers": 3, "usersBelow": None}
    assert (await service.anonymous.ask(RANK, id=ids[0]))["userRank"]["usersBelow"] == 2


async def test_watchers_see_a_user_go_and_come_back_to_the_old_place_among_ties(service: Service, moderator: Player):
    players = await players_with_the_same_score(service)
    second = await id_of(players[1])
    async with connected(service.socket_url) as client:
        await client.subscribe(WATCH)
        await see(client, ["player 1", "player 2", "player 3", "player 4"])
        await moderator.ask(HIDE, id=second)
        update = await see(client, ["player 1", "player 3", "player 4"])
        assert {"user": {"username": "Hidden player"}, "oldRank": 2, "newRank": None} in update["changes"]
        await moderator.ask(UNHIDE, id=second)
        await see(client, ["player 1", "player 2", "player 3", "player 4"])


async def test_corrections_are_seen_at_once_by_readers_and_watchers(service: Service, moderator: Player):
    alice, bob = service.player("alice"), service.player("bob")
    paid = await alice.play()
    await bob.play("COMPLETE_QUIZ")
    async with connected(service.socket_url) as client:
        await client.subscribe(WATCH)
        await see(client, ["alice", "bob"])
        adjust = {"userId": await id_of(bob), "adjustment": {"delta": 100}, "reason": "a draw", "idempotencyKey": "1"}
        first = (await moderator.ask(ADJUST, input=adjust))["adjustScore"]
        assert (first["newScore"], first["currentRank"]) == (110, 1)
        assert await names(service.anonymous) == [(1, "bob"), (2, "alice")]
        assert (await moderator.ask(ADJUST, input=adjust))["adjustScore"]["transactionId"] == first["transactionId"]
        await see(client, ["bob", "alice"])
        reverted = (await moderator.ask(REVERT, id=paid["transactionId"]))["revertTransaction"]
        assert reverted == {"newScore": 0, "scoreDelta": -50}
        assert await names(service.anonymous) == [(1, "bob"), (2, "alice")]
        assert (await moderator.fails(REVERT, id=paid["transactionId"]))["code"] == "BAD_USER_INPUT"


async def test_a_deleted_user_is_gone_and_stays_away(service: Service, moderator: Player):
    alice = service.player("alice")
    await alice.play()
    token, alice_id = await alice.issue(), await id_of(alice)
    deleted = (await moderator.ask(DELETE, id=alice_id))["deleteUser"]
    assert deleted["export"]["user"]["username"] == "alice"
    assert (deleted["user"]["avatarUrl"], "alice" in deleted["user"]["username"]) == (None, False)
    assert await names(service.anonymous) == []
    assert (await alice.fails(SUBMIT, input={"actionToken": token}))["code"] == "FORBIDDEN"
    assert (await alice.fails(ISSUE, input={"actionType": "COMPLETE_QUIZ"}))["code"] == "FORBIDDEN"
    for query in (HIDE, DELETE):
        assert (await moderator.fails(query, id=alice_id))["code"] == "USER_NOT_FOUND"


async def test_bad_arguments_of_decisions_are_told(service: Service, moderator: Player):
    for query in (HIDE, UNHIDE, DELETE, REVERT, RELEASE, REJECT):
        assert (await moderator.fails(query, id="not an id"))["code"] == "BAD_USER_INPUT"
    for query in (REVERT, RELEASE, REJECT):
        assert (await moderator.fails(query, id=str(uuid4())))["code"] == "BAD_USER_INPUT"
    nobody = {"userId": str(uuid4()), "adjustment": {"delta": 5}, "reason": "r", "idempotencyKey": "k"}
    assert (await moderator.fails(ADJUST, input=nobody))["code"] == "USER_NOT_FOUND"
    both = {"delta": 1, "set": 1}
    adjustments = ({"delta": 0}, {"delta": -(2**53)}, {"set": -1}, {"set": 2**40}, {}, both, {"set": None})
    texts = ({"reason": ""}, {"idempotencyKey": ""}, {"reason": "\u0000"})
    for wrong in (*({"adjustment": adjustment} for adjustment in adjustments), *texts):
        assert (await moderator.fails(ADJUST, input=nobody | wrong))["code"] == "BAD_USER_INPUT"
    missing = nobody | {"category": "nowhere"}
    assert (await moderator.fails(ADJUST, input=missing))["code"] == "CATEGORY_NOT_FOUND"


class TestSignedActions:
    @staticmethod
    async def signed(player: Player, **more: Any) -> dict[str, Any]:
        session = (await player.ask(OPEN))["openSigningSession"]
        at = more.pop("at", datetime.now(UTC))
        action = SignedAction(UUID(session["keyId"]), uuid4(), "COMPLETE_MISSION", "hard", at)
        return {
            "keyId": session["keyId"],
            "actionId": str(action.action_id),
            "actionType": action.action_type,
            "difficulty": action.difficulty,
            "timestamp": at.isoformat(),
            "signature": sign(session["secret"], action),
            **more,
        }

    async def test_it_pays_once(self, service: Service):
        alice = service.player("alice")
        action = await self.signed(alice, data={"seed": 17})
        first = (await alice.ask(SIGNED, input=action))["outcome"]
        assert (first["__typename"], first["newScore"], first["currentRank"]) == ("ScoreAccepted", 100, 1)
        again = (await alice.ask(SIGNED, input=action))["outcome"]
        assert (again["__typename"], again["code"]) == ("DuplicateAction", "DUPLICATE_ACTION")
        assert again["receipt"] == {"transactionId": first["transactionId"], "newScore": 100}

    async def test_ids_in_upper_case_may_be_signed_as_sent_and_pay_once_in_any_case(self, service: Service):
        alice = service.player("alice")
        session = (await alice.ask(OPEN))["openSigningSession"]
        at, action_id = datetime.now(UTC), uuid4()
        plain = SignedAction(UUID(session["keyId"]), action_id, "COMPLETE_LEVEL", None, at)
        sent = replace(plain, ids_as_sent=(session["keyId"], str(action_id).upper()))
        action = {
            "keyId": session["keyId"],
            "actionId": str(action_id).upper(),
            "actionType": "COMPLETE_LEVEL",
            "timestamp": at.isoformat(),
            "signature": hmac.new(session["secret"].encode(), sent.as_sent.encode(), "sha256").hexdigest(),
        }
        assert (await alice.ask(SIGNED, input=action))["outcome"]["__typename"] == "ScoreAccepted"
        lower = action | {"actionId": str(action_id), "signature": sign(session["secret"], plain)}
        for again in (action, lower, lower | {"actionId": str(action_id).upper()}):
            assert (await alice.ask(SIGNED, input=again))["outcome"]["__typename"] == "DuplicateAction"

    async def test_what_is_wrong_with_it_is_a_type(self, service: Service):
        alice = service.player("alice")
        forged = await self.signed(alice, difficulty="easy")
        assert (await alice.ask(SIGNED, input=forged))["outcome"]["code"] == "INVALID_SIGNATURE"
        unknown = await self.signed(alice, keyId="not a key")
        assert (await alice.ask(SIGNED, input=unknown))["outcome"]["code"] == "INVALID_SIGNATURE"
        stale = await self.signed(alice, at=datetime.now(UTC) - timedelta(minutes=6))
        assert (await alice.ask(SIGNED, input=stale))["outcome"]["code"] == "STALE_TIMESTAMP"
        others = await self.signed(alice)
        assert (await service.player("bob").ask(SIGNED, input=others))["outcome"]["code"] == "INVALID_SIGNATURE"
        assert (await alice.fails(SIGNED, input=await self.signed(alice, actionId="1")))["code"] == "BAD_USER_INPUT"
        naive = await self.signed(alice, timestamp="2026-11-20T10:00:00")
        assert (await alice.fails(SIGNED, input=naive))["code"] == "BAD_USER_INPUT"
        assert (await service.anonymous.fails(OPEN))["code"] == "UNAUTHENTICATED"
        assert await names(service.anonymous) == []


class TestServerWrites:
    @pytest.fixture
    def game(self, service: Service) -> Player:
        return service.player("the game", Role.SERVER)

    async def test_the_same_key_has_the_same_result(self, service: Service, game: Player):
        alice = service.player("alice")
        report = {
            "user": {"id": await id_of(alice)},
            "username": "alice",
            "actionType": "COMPLETE_LEVEL",
            "idempotencyKey": "1",
        }
        first = (await game.ask(RECORD, input=report))["outcome"]
        assert (first["__typename"], first["newScore"], first["user"]["username"]) == ("ScoreAccepted", 50, "alice")
        again = (await game.ask(RECORD, input=report))["outcome"]
        assert (again["__typename"], again["transactionId"]) == ("ScoreAccepted", first["transactionId"])
        other = report | {"actionType": "COMPLETE_QUIZ"}
        assert (await game.fails(RECORD, input=other))["code"] == "BAD_USER_INPUT"
        assert (await game.ask(RECORD, input=report | {"actionType": "NOTHING"}))["outcome"]["code"] == "INVALID_ACTION"

    async def test_a_player_can_be_named_as_the_access_tokens_do(self, service: Service, game: Player):
        report = {
            "user": {"subject": "alice"},
            "username": "alice",
            "actionType": "COMPLETE_LEVEL",
            "idempotencyKey": "1",
        }
        outcome = (await game.ask(RECORD, input=report))["outcome"]
        assert outcome["user"]["id"] == await id_of(service.player("alice"))
        stranger = {"user": {"subject": "bob"}, "actionType": "COMPLETE_LEVEL", "idempotencyKey": "2"}
        assert (await game.fails(RECORD, input=stranger))["code"] == "USER_NOT_FOUND"
        for wrong in ({}, {"id": str(uuid4()), "subject": "alice"}, {"id": None}, {"subject": None, "id": "x"}, None):
            wrongly_named = report | {"idempotencyKey": "3", "user": wrong}
            assert (await game.fails(RECORD, input=wrongly_named))["code"] == "BAD_USER_INPUT"


class TestReviews:
    @pytest.fixture
    async def service(self, settings: Settings) -> AsyncIterator[Service]:
        """Whoever completes the same action a third time within its duration is held."""
        thresholds = Thresholds(even_length=0, overlap_flag=0, overlap_hold=2)
        async with serving(settings.model_copy(update={"fraud_thresholds": thresholds})) as service:
            game = service.player("the moderator", Role.MODERATOR)
            action = {
                "id": "SPRINT",
                "name": "Sprint",
                "points": 20,
                "minDuration": 4,  # Long enough for three submissions on a slow machine.
                "category": "global",
                "reason": "r",
            }
            save = "mutation S($input: SaveActionInput!) { saveAction(input: $input) { id } }"
            await game.ask(save, input=action)
            yield service

    @staticmethod
    async def sprint(player: Player, times: int = 3) -> list[dict[str, Any]]:
        """Runs at the same time."""
        tokens = [await player.issue("SPRINT") for _ in range(times)]
        outcomes = []
        for token in tokens:
            while True:
                outcome = (await player.ask(SUBMIT, input={"actionToken": token}))["outcome"]
                if outcome["__typename"] != "TooEarly":
                    break
                await asyncio.sleep(outcome["retryAfter"] / 10)  # Time itself is what this waits for.
            outcomes.append(outcome)
        again = (await player.ask(SUBMIT, input={"actionToken": tokens[-1]}))["outcome"]
        assert again["__typename"] == outcomes[-1]["__typename"], "a repeat of what is held is held"
        return outcomes

    async def test_what_is_held_is_seen_by_its_player_and_moderators_alone(self, service: Service, moderator: Player):
        alice, bob = service.player("alice"), service.player("bob")
        outcomes = await self.sprint(alice)
        assert [outcome["__typename"] for outcome in outcomes] == ["ScoreAccepted", "ScoreAccepted", "UnderReview"]
        assert outcomes[2]["code"] == "UNDER_REVIEW"
        (held,) = (await alice.ask(ME))["me"]["heldScores"]
        assert (held["points"], held["status"], held["actionType"], held["decidedAt"]) == (20, "OPEN", "SPRINT", None)
        assert (await bob.ask(ME))["me"]["heldScores"] == []
        (flag,) = (await moderator.ask(FLAGS))["flags"]["nodes"]
        assert flag["transactionId"] == held["transactionId"]
        assert (flag["verdict"], flag["rules"]) == ("HOLD", ["TOO_FAST"])
        assert flag["user"]["username"] == "alice"
        assert (await service.anonymous.ask(RANK, id=await id_of(alice)))["userRank"]["score"] == 40

    async def test_what_is_released_is_seen_by_watchers_at_once(self, service: Service, moderator: Player):
        alice, bob = service.player("alice"), service.player("bob")
        await self.sprint(alice)
        await bob.play()
        (flag,) = (await moderator.ask(FLAGS))["flags"]["nodes"]
        async with connected(service.socket_url) as client:
            await client.subscribe(WATCH)
            await see(client, ["bob", "alice"])
            released = (await moderator.ask(RELEASE, id=flag["id"]))["releaseHeld"]
            assert (released["status"], released["reason"]) == ("RELEASED", "just good")
            assert await names(service.anonymous) == [(1, "alice"), (2, "bob")]
            await see(client, ["alice", "bob"])
        assert (await alice.ask(ME))["me"]["heldScores"][0]["status"] == "RELEASED"
        for query in (RELEASE, REJECT):
            assert (await moderator.fails(query, id=flag["id"]))["code"] == "BAD_USER_INPUT"
        assert (await moderator.ask(FLAGS))["flags"]["nodes"] == []
        assert len((await moderator.ask(FLAGS, status="RELEASED"))["flags"]["nodes"]) == 1

    async def test_what_is_rejected_stays_away(self, service: Service, moderator: Player):
        alice = service.player("alice")
        await self.sprint(alice)
        (flag,) = (await moderator.ask(FLAGS))["flags"]["nodes"]
        assert (await moderator.ask(REJECT, id=flag["id"]))["rejectHeld"] == {"status": "REJECTED"}
        assert (await service.anonymous.ask(RANK, id=await id_of(alice)))["userRank"]["score"] == 40


class TestVerifier:
    @pytest.fixture
    async def webhook(self) -> AsyncIterator[Webhook]:
        async with running_webhook() as webhook:
            yield webhook

    @pytest.fixture
    async def service(self, settings: Settings, webhook: Webhook) -> AsyncIterator[Service]:
        given = {
            "completion_verifiers": {"COMPLETE_LEVEL": "app.services.submissions.verifiers.webhook:webhook"},
            "verifier_webhook_url": webhook.url,
            "verifier_webhook_secret": "a secret between the service and the game",
            "spot_check_rate": 1.0,
        }
        async with serving(Settings(**(settings.model_dump() | given))) as service:
            yield service

    async def test_what_the_game_denies_is_a_type_and_the_token_stays_usable(self, service: Service, webhook: Webhook):
        alice = service.player("alice")
        token = await alice.issue()
        webhook.body = b'{"accepted": false}'
        denied = (await alice.ask(SUBMIT, input={"actionToken": token, "data": {"seed": 17}}))["outcome"]
        assert (denied["__typename"], denied["code"]) == ("VerificationFailed", "VERIFICATION_FAILED")
        webhook.status = 503
        away = await alice.fails(SUBMIT, input={"actionToken": token})
        assert (away["code"], away["retryAfter"]) == ("SERVICE_UNAVAILABLE", 1)
        webhook.status, webhook.body = 200, b'{"accepted": true}'
        assert (await alice.ask(SUBMIT, input={"actionToken": token}))["outcome"]["scoreDelta"] == 50
        too_much = {"actionToken": await alice.issue(), "data": "x" * 9000}
        assert (await alice.fails(SUBMIT, input=too_much))["code"] == "BAD_USER_INPUT"
