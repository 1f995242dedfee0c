"""The main way through the service, over HTTP."""

import asyncio

from tests.support.service import BOARD, Service


async def test_an_action_from_permission_to_points(service: Service):
    alice = service.player("alice")
    outcome = await alice.play("COMPLETE_MISSION", difficulty="hard")
    assert outcome["__typename"] == "ScoreAccepted"
    assert (outcome["previousScore"], outcome["newScore"], outcome["scoreDelta"]) == (0, 100, 100)
    assert (outcome["previousRank"], outcome["currentRank"]) == (None, 1)
    for period in ("ALL_TIME", "DAILY", "WEEKLY", "MONTHLY"):
        board = (await service.anonymous.ask(BOARD, period=period))["leaderboard"]
        assert [(entry["rank"], entry["score"], entry["user"]["username"]) for entry in board["entries"]] == [
            (1, 100, "alice")
        ]


async def test_a_repeated_submission_gets_the_first_receipt(service: Service):
    alice = service.player()
    token = await alice.issue()
    first = await alice.submit(token)
    again = await alice.submit(token)
    assert again["__typename"] == "ActionTokenUsed"
    assert again["code"] == "ACTION_TOKEN_USED"
    assert again["receipt"]["transactionId"] == first["transactionId"]


async def test_somebody_elses_token_pays_nobody(service: Service):
    token = await service.player("alice").issue()
    outcome = await service.player("bob").submit(token)
    assert outcome["code"] == "ACTION_TOKEN_NOT_YOURS"
    assert (await service.anonymous.ask(BOARD))["leaderboard"]["entries"] == []


async def test_a_token_pays_once_however_many_submit_it_at_the_same_time(service: Service):
    alice = service.player()
    token = await alice.issue()
    outcomes = await asyncio.gather(*(alice.submit(token) for _ in range(50)))
    kinds = sorted(outcome["__typename"] for outcome in outcomes)
    assert kinds == ["ActionTokenUsed"] * 49 + ["ScoreAccepted"]
