"""Results that a game states: by its back end, or by its verifier, and never by a player."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.config import Settings
from app.domain.rules.fraud import Thresholds
from app.domain.rules.signed_actions import SignedAction, sign
from app.domain.users import Role
from tests.support.graphql.socket_client import connected
from tests.support.races import BOARD, LAP, OUTCOME, RACES, RECORD, RECORD_MANY, open_race_track, report
from tests.support.service import ISSUE, Player, Service, serving
from tests.support.webhook import Webhook, running_webhook

SUBMIT = f"mutation Submit($input: SubmitScoreInput!) {{ outcome: submitScore(input: $input) {{ {OUTCOME} }} }}"
SIGNED = f"""
mutation Signed($input: SubmitSignedActionInput!) {{ outcome: submitSignedAction(input: $input) {{ {OUTCOME} }} }}
"""
ADJUST = """
mutation Adjust($input: AdjustScoreInput!) { adjustScore(input: $input) { transactionId newScore scoreDelta } }
"""
RELEASE = 'mutation R($id: ID!) { releaseHeld(flagId: $id, reason: "a fast driver") { status points } }'
ACTIONS = "query A($category: String!) { actions(category: $category) { actionType kind points minValue maxValue } }"
SAVE_ACTION = "mutation S($input: SaveActionInput!) { saveAction(input: $input) { id kind points minValue maxValue } }"
WATCH = """
subscription { leaderboardUpdates(category: "races") {
  leaderboard { entries { score metadata user { username } } }
} }
"""
COMMITS = text("SELECT count(DISTINCT xmin::text), count(*) FROM score_transactions")


@pytest.fixture
def server(service: Service) -> Player:
    return service.player("the race track", Role.SERVER)


@pytest.fixture
def moderator(service: Service) -> Player:
    return service.player("the moderator", Role.MODERATOR)


@pytest.fixture
async def races(moderator: Player) -> None:
    await open_race_track(moderator)


@asynccontextmanager
async def verified(settings: Settings, webhook: Webhook, **more: Any) -> AsyncIterator[Service]:
    given = {
        "completion_verifiers": {LAP: "app.services.submissions.verifiers.webhook:webhook"},
        "verifier_webhook_url": webhook.url,
        "verifier_webhook_secret": "a secret between the service and the game",
        "verifier_timeout": 10.0,
        "spot_check_rate": 0.0,
    }
    async with serving(type(settings)(**(settings.model_dump() | given | more))) as made:
        await open_race_track(made.player("the moderator", Role.MODERATOR))
        yield made


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    async with running_webhook() as webhook:
        yield webhook


async def board(player: Player, category: str = RACES) -> list[tuple[str, int]]:
    entries = (await player.ask(BOARD, category=category))["leaderboard"]["entries"]
    return [(entry["user"]["username"], entry["score"]) for entry in entries]


@pytest.mark.usefixtures("races")
class TestRecordedResults:
    async def test_a_race_is_ranked_by_its_best_times(self, service: Service, server: Player):
        for name, time in (("ada", 83_250), ("bob", 81_007), ("ada", 80_999), ("bob", 95_000), ("carol", 81_007)):
            outcome = (await server.ask(RECORD, input=report(name, time)))["outcome"]
            assert outcome["__typename"] == "ScoreAccepted"
        assert await board(service.anonymous) == [("ada", 80_999), ("bob", 81_007), ("carol", 81_007)]

    async def test_a_watcher_sees_a_better_time_with_its_replay(self, service: Service, server: Player):
        async with connected(service.socket_url) as client:
            await client.subscribe(WATCH)
            for time in (83_250, 81_007):
                await server.ask(RECORD, input=report("ada", time, metadata={"replay": f"https://replays/{time}"}))
            shown: list[Any] = []
            while not shown or shown[0]["score"] != 81_007:
                shown = (await client.hear_next())["data"]["leaderboardUpdates"]["leaderboard"]["entries"]
            assert shown[0]["metadata"] == {"replay": "https://replays/81007"}

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"value": 29_999}, "from 30000 to 600000"),
            ({"value": 600_001}, "from 30000 to 600000"),
            ({"value": -1}, "from 30000 to 600000"),
            ({"value": None}, "`value` is required for LAP"),
            ({"value": 12.5}, "Score"),
            ({"value": "83250"}, "Score"),
            ({"value": 2**60}, "Score"),
            ({"actionType": "COMPLETE_LEVEL"}, "`value` must not be given for COMPLETE_LEVEL"),
            ({"metadata": "x" * 1100}, "1 KiB"),
            ({"metadata": [[[[[[[[[1]]]]]]]]]}, "8 levels deep"),
            ({"metadata": {"big": 2**60}}, "Whole numbers"),
        ],
    )
    async def test_what_does_not_fit_the_action_is_told(self, server: Player, change: dict[str, Any], message: str):
        body = (await server.post(RECORD, input=report("ada", 83_250) | change)).json()
        (error,) = body["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert message in error["message"]

    async def test_metadata_needs_a_category_that_shows_it(self, server: Player):
        content = {"actionType": "COMPLETE_LEVEL", "user": {"subject": "ada"}, "username": "ada", "idempotencyKey": "1"}
        refused = await server.fails(RECORD, input=content | {"metadata": {"replay": "x"}})
        assert refused["code"] == "BAD_USER_INPUT"

    async def test_a_repeat_gets_the_first_receipt_and_another_value_is_an_error(self, server: Player):
        first = (await server.ask(RECORD, input=report("ada", 83_250, key="lap 1")))["outcome"]
        again = (await server.ask(RECORD, input=report("ada", 83_250, key="lap 1")))["outcome"]
        assert again["transactionId"] == first["transactionId"]
        for other in ({"value": 83_251}, {"metadata": {"replay": "other"}}):
            refused = await server.fails(RECORD, input=report("ada", 83_250, key="lap 1") | other)
            assert refused["code"] == "BAD_USER_INPUT"

    async def test_the_rules_of_the_action_apply(self, server: Player, moderator: Player):
        await moderator.ask(SAVE_ACTION, input={"id": LAP, "dailyLimit": 1, "reason": "one lap a day"})
        assert (await server.ask(RECORD, input=report("ada", 83_250)))["outcome"]["newScore"] == 83_250
        outcome = (await server.ask(RECORD, input=report("ada", 81_000)))["outcome"]
        assert outcome["__typename"] == "DailyLimitReached"

    async def test_the_range_ends_at_the_cap_where_scores_do_not_add_up(self, server: Player, moderator: Player):
        await moderator.ask(SAVE_ACTION, input={"id": LAP, "minValue": None, "maxValue": None, "reason": "any time"})
        (lap,) = (await moderator.ask(ACTIONS, category=RACES))["actions"]
        assert lap == {"actionType": LAP, "kind": "STATED", "points": None, "minValue": 1, "maxValue": 1_000_000}
        refused = await server.post(RECORD, input=report("ada", 1_000_001))
        assert "from 1 to 1000000" in refused.json()["errors"][0]["message"]


@pytest.mark.usefixtures("races")
class TestManyResults:
    async def test_many_results_share_a_commit(self, service: Service, server: Player):
        names = [f"driver {number}" for number in range(100)]
        await server.ask(RECORD_MANY, inputs=[report(name, 90_000) for name in names])
        async with service.app.database.connect() as connection:
            before = (await connection.execute(COMMITS)).one()
        inputs = [report(name, 80_000 + number) for number, name in enumerate(names)]
        outcomes = (await server.ask(RECORD_MANY, inputs=inputs))["outcomes"]
        assert [outcome["newScore"] for outcome in outcomes] == [one["value"] for one in inputs]
        async with service.app.database.connect() as connection:
            after = (await connection.execute(COMMITS)).one()
        assert (after[0] - before[0], after[1] - before[1]) == (1, 100)

    async def test_one_that_fails_affects_no_other(self, server: Player):
        inputs = [
            report("ada", 83_250),
            report("bob", 1),
            report("carol", 81_000) | {"user": {"id": "not an id"}},
            report("dora", 82_000) | {"user": {"id": str(uuid4())}, "username": None},
            report("eve", 84_000) | {"actionType": "NO_SUCH_ACTION"},
            report("fay", 85_000) | {"idempotencyKey": ""},
            report("gus", 86_000),
        ]
        body = (await server.post(RECORD_MANY, inputs=inputs)).json()
        assert {error["path"][1]: error["extensions"]["code"] for error in body["errors"]} == {
            1: "BAD_USER_INPUT",
            2: "BAD_USER_INPUT",
            3: "USER_NOT_FOUND",
            5: "BAD_USER_INPUT",
        }
        kinds = [outcome and outcome["__typename"] for outcome in body["data"]["outcomes"]]
        assert kinds == ["ScoreAccepted", None, None, None, "InvalidAction", None, "ScoreAccepted"]

    async def test_results_of_one_player_are_recorded_in_their_order(self, server: Player, moderator: Player):
        await open_race_track(moderator, category="latest", action="PRACTICE", operator="LATEST")
        inputs = [report("ada", 80_000 + number, action="PRACTICE") for number in range(10)]
        outcomes = (await server.ask(RECORD_MANY, inputs=inputs))["outcomes"]
        assert [outcome["newScore"] for outcome in outcomes] == [one["value"] for one in inputs]
        assert await board(server, "latest") == [("ada", 80_009)]

    async def test_repeats_get_the_first_receipts(self, server: Player):
        inputs = [report("ada", 83_250, key="same"), report("bob", 82_000), report("ada", 83_250, key="same")]
        first = (await server.ask(RECORD_MANY, inputs=inputs))["outcomes"]
        assert first[0]["transactionId"] == first[2]["transactionId"]
        again = (await server.ask(RECORD_MANY, inputs=inputs))["outcomes"]
        assert [one["transactionId"] for one in again] == [one["transactionId"] for one in first]

    async def test_there_may_be_none_and_at_most_a_hundred(self, server: Player):
        assert (await server.ask(RECORD_MANY, inputs=[]))["outcomes"] == []
        too_many = await server.fails(RECORD_MANY, inputs=[report("ada", 83_250)] * 101)
        assert too_many["code"] == "BAD_USER_INPUT"

    async def test_only_a_back_end_may_record(self, service: Service, moderator: Player):
        for who in (service.player("ada"), moderator):
            assert (await who.fails(RECORD_MANY, inputs=[report("ada", 83_250)]))["code"] == "FORBIDDEN"


@pytest.mark.usefixtures("races")
class TestPlayers:
    async def test_without_a_verifier_players_cannot_claim_a_stated_action(self, service: Service):
        ada = service.player("ada")
        issued = (await ada.ask(ISSUE, input={"actionType": LAP}))["issueActionToken"]
        assert (issued["__typename"], issued["code"]) == ("ServerOnlyAction", "SERVER_ONLY_ACTION")
        session = (await ada.ask("mutation { openSigningSession { keyId secret } }"))["openSigningSession"]
        now = datetime.now(UTC).replace(microsecond=0)
        action = SignedAction(session["keyId"], uuid4(), LAP, None, now)
        content = {
            "keyId": session["keyId"],
            "actionId": str(action.action_id),
            "actionType": LAP,
            "timestamp": now.isoformat(),
            "signature": sign(session["secret"], action),
        }
        assert (await ada.ask(SIGNED, input=content))["outcome"]["__typename"] == "ServerOnlyAction"
        assert await board(ada) == []

    async def test_a_difficulty_means_nothing_for_a_stated_action(self, service: Service):
        refused = await service.player("ada").ask(ISSUE, input={"actionType": LAP, "difficulty": "hard"})
        assert refused["issueActionToken"]["__typename"] == "InvalidAction"


class TestVerifiedResults:
    async def test_the_verifier_states_the_value_and_the_metadata(self, settings: Settings, webhook: Webhook):
        webhook.body = json.dumps({"accepted": True, "value": 83_250, "metadata": {"replay": "lap/1"}}).encode()
        async with verified(settings, webhook) as service:
            ada = service.player("ada")
            issued = (await ada.ask(ISSUE, input={"actionType": LAP}))["issueActionToken"]
            assert issued["scoreValue"] is None
            outcome = (await ada.ask(SUBMIT, input={"actionToken": issued["actionToken"]}))["outcome"]
            assert outcome["newScore"] == 83_250
            (entry,) = (await ada.ask(BOARD, category=RACES))["leaderboard"]["entries"]
            assert (entry["score"], entry["metadata"]) == (83_250, {"replay": "lap/1"})
            again = (await ada.ask(SUBMIT, input={"actionToken": issued["actionToken"]}))["outcome"]
            assert again["__typename"] == "ActionTokenUsed"
        ((_, body),) = webhook.asked
        assert json.loads(body)["points"] is None

    @pytest.mark.parametrize(
        "answer",
        [{}, {"value": None}, {"value": "83250"}, {"value": 83250.5}, {"value": True},
         {"value": 83_250, "metadata": "x" * 2000}, {"value": 83_250, "metadata": {"big": 10**400}}],
    )  # fmt: skip
    async def test_an_answer_that_does_not_fit_is_a_fault_of_the_verifier(
        self, settings: Settings, webhook: Webhook, answer: dict[str, Any]
    ):
        webhook.body = json.dumps({"accepted": True, **answer}).encode()
        async with verified(settings, webhook) as service:
            ada = service.player("ada")
            token = await ada.issue(LAP)
            assert (await ada.fails(SUBMIT, input={"actionToken": token}))["code"] == "SERVICE_UNAVAILABLE"
            webhook.body = b'{"accepted": true, "value": 83250}'
            assert (await ada.ask(SUBMIT, input={"actionToken": token}))["outcome"]["newScore"] == 83_250

    @pytest.mark.parametrize(
        "answer", [{"accepted": False}, {"accepted": True, "value": 1}, {"accepted": True, "value": 2**62}]
    )
    async def test_a_denied_or_extreme_result_is_refused(
        self, settings: Settings, webhook: Webhook, answer: dict[str, Any]
    ):
        webhook.body = json.dumps(answer).encode()
        async with verified(settings, webhook) as service:
            ada = service.player("ada")
            outcome = (await ada.ask(SUBMIT, input={"actionToken": await ada.issue(LAP)}))["outcome"]
            assert outcome["__typename"] == "VerificationFailed"
            assert await board(ada) == []

    async def test_a_value_for_an_action_with_fixed_points_is_a_fault(self, settings: Settings, webhook: Webhook):
        webhook.body = b'{"accepted": true, "value": 83250}'
        path = {"COMPLETE_LEVEL": "app.services.submissions.verifiers.webhook:webhook"}
        async with verified(settings, webhook, completion_verifiers=path, spot_check_rate=1.0) as service:
            ada = service.player("ada")
            assert (await ada.fails(SUBMIT, input={"actionToken": await ada.issue()}))["code"] == "SERVICE_UNAVAILABLE"

    async def test_a_held_result_is_paid_with_its_value_when_it_is_released(self, settings: Settings, webhook: Webhook):
        webhook.body = json.dumps({"accepted": True, "value": 83_250, "metadata": {"replay": "lap/1"}}).encode()
        thresholds = Thresholds(velocity_hold=1, history=2)
        async with verified(settings, webhook, fraud_thresholds=thresholds) as service:
            ada, moderator = service.player("ada"), service.player("the moderator", Role.MODERATOR)
            await ada.submit(await ada.issue(LAP))
            webhook.body = json.dumps({"accepted": True, "value": 80_000, "metadata": {"replay": "lap/2"}}).encode()
            outcome = (await ada.ask(SUBMIT, input={"actionToken": await ada.issue(LAP)}))["outcome"]
            assert outcome["__typename"] == "UnderReview"
            assert await board(ada) == [("ada", 83_250)]
            (held,) = (await ada.ask("{ me { heldScores { points } } }"))["me"]["heldScores"]
            assert held["points"] == 80_000
            (flag,) = (await moderator.ask("{ flags { nodes { id } } }"))["flags"]["nodes"]
            released = (await moderator.ask(RELEASE, id=flag["id"]))["releaseHeld"]
            assert released == {"status": "RELEASED", "points": 80_000}
            (entry,) = (await ada.ask(BOARD, category=RACES))["leaderboard"]["entries"]
            assert (entry["score"], entry["metadata"]) == (80_000, {"replay": "lap/2"})


class TestEligibility:
    @pytest.mark.parametrize(
        ("rule", "refusal"),
        [
            ({"dailyLimit": 1}, "DailyLimitReached"),
            ({"cooldown": 3600}, "CooldownActive"),
            ({"repeatable": False}, "AlreadyCompleted"),
        ],
    )
    async def test_what_a_submission_would_be_refused_for_is_told_when_a_token_is_requested(
        self, service: Service, moderator: Player, rule: dict[str, Any], refusal: str
    ):
        await moderator.ask(SAVE_ACTION, input={"id": "COMPLETE_LEVEL", "reason": "a rule"} | rule)
        ada, bob = service.player("ada"), service.player("bob")
        first, second = await ada.issue(), await ada.issue()
        assert (await ada.submit(first))["__typename"] == "ScoreAccepted"
        issued = (await ada.ask(ISSUE, input={"actionType": "COMPLETE_LEVEL"}))["issueActionToken"]
        assert issued["__typename"] == refusal
        assert (await ada.submit(second))["__typename"] == refusal, "the submission is judged all the same"
        await bob.issue()

    async def test_a_difficulty_may_be_required(self, service: Service, moderator: Player):
        change = {"id": "COMPLETE_MISSION", "points": None, "reason": "players choose"}
        assert (await moderator.ask(SAVE_ACTION, input=change))["saveAction"]["points"] is None
        ada = service.player("ada")
        refused = (await ada.ask(ISSUE, input={"actionType": "COMPLETE_MISSION"}))["issueActionToken"]
        assert (refused["__typename"], refused["message"]) == ("InvalidAction", "This action requires a `difficulty`.")
        assert (await ada.play("COMPLETE_MISSION", difficulty="hard"))["newScore"] == 100

    async def test_without_a_difficulty_the_demonstration_missions_pay_the_least(self, service: Service):
        assert (await service.player("ada").play("COMPLETE_MISSION"))["newScore"] == 25


@pytest.mark.usefixtures("races")
class TestSettingScores:
    async def test_a_score_can_be_set(self, service: Service, server: Player, moderator: Player):
        outcome = (await server.ask(RECORD, input=report("ada", 40_000)))["outcome"]
        content = {"userId": outcome["user"]["id"], "category": RACES, "reason": "a wrong clock", "idempotencyKey": "1"}
        correction = content | {"adjustment": {"set": 83_250}}
        first = (await moderator.ask(ADJUST, input=correction))["adjustScore"]
        assert (first["newScore"], first["scoreDelta"]) == (83_250, 43_250)
        assert (await moderator.ask(ADJUST, input=correction))["adjustScore"] == first
        added = content | {"adjustment": {"delta": 83_250}}
        assert (await moderator.fails(ADJUST, input=added))["code"] == "BAD_USER_INPUT"
        for period in ("ALL_TIME", "DAILY", "WEEKLY", "MONTHLY"):
            entries = (await service.anonymous.ask(BOARD, category=RACES, period=period))["leaderboard"]["entries"]
            assert [entry["score"] for entry in entries] == [83_250]
        unchanged = correction | {"idempotencyKey": "2"}
        assert (await moderator.fails(ADJUST, input=unchanged))["code"] == "BAD_USER_INPUT"

    async def test_concurrent_settings_end_at_one_of_them(self, server: Player, moderator: Player):
        outcome = (await server.ask(RECORD, input=report("ada", 40_000)))["outcome"]
        content = {"userId": outcome["user"]["id"], "category": RACES, "reason": "a wrong clock"}
        scores = [50_000 + number for number in range(8)]
        await asyncio.gather(
            *(
                moderator.ask(ADJUST, input=content | {"adjustment": {"set": score}, "idempotencyKey": str(score)})
                for score in scores
            )
        )
        ((_, final),) = await board(moderator)
        assert final in scores


class TestUnions:
    async def test_unions_name_exactly_the_members_that_can_come(self, service: Service):
        query = '{ __type(name: "%s") { possibleTypes { name } } }'

        async def members(name: str) -> set[str]:
            found = (await service.anonymous.ask(query % name))["__type"]["possibleTypes"]
            return {one["name"] for one in found}

        rules = {"InvalidAction", "AlreadyCompleted", "CooldownActive", "DailyLimitReached"}
        claims = rules | {"ScoreAccepted", "ServerOnlyAction", "TooEarly", "ScoreCapReached"}
        claims |= {"VerificationFailed", "UnderReview"}
        tokens = {"InvalidActionToken", "ActionTokenExpired", "ActionTokenUsed", "ActionTokenNotYours"}
        signatures = {"InvalidSignature", "StaleTimestamp", "DuplicateAction"}
        assert await members("IssueActionTokenResult") == rules | {"ActionTokenIssued", "ServerOnlyAction"}
        assert await members("SubmitScoreResult") == claims | tokens
        assert await members("SubmitSignedActionResult") == claims | signatures
        assert await members("RecordActionResult") == rules | {"ScoreAccepted", "ScoreCapReached"}
