"""Who a token's `sub` is, and the one spelling of ids."""

from uuid import UUID

import pytest

from app.config import Settings
from app.domain.users import Role
from tests.support.service import Service, serving

ME = "{ me { user { id } } }"
RANK = "query($id: ID!) { userRank(userId: $id) { user { id } } }"


def spellings(user_id: str) -> list[str]:
    return [user_id.upper(), UUID(user_id).hex, f"{{{user_id}}}", f"urn:uuid:{user_id}", f" {user_id}"]


async def my_id(service: Service, subject: str) -> str:
    user_id: str = (await service.player(subject).ask(ME))["me"]["user"]["id"]
    return user_id


async def test_nobody_becomes_another_user_by_a_subject_that_is_their_public_id(service: Service):
    alice = await my_id(service, "alice")
    for subject in (alice, *spellings(alice)):
        assert await my_id(service, subject) != alice


async def test_with_the_setting_a_uuid_is_the_id_but_never_a_derived_one(settings: Settings):
    async with serving(settings.model_copy(update={"subject_is_user_id": True})) as service:
        ada = "0f8fad5b-d9cb-469f-a165-70867728950e"
        assert await my_id(service, ada) == ada
        for subject in spellings(ada):
            assert await my_id(service, subject) != ada
        alice = await my_id(service, "alice")
        assert await my_id(service, alice) != alice


@pytest.mark.parametrize(
    "query",
    [
        RANK,
        "query($id: ID!) { user(id: $id) { id } }",
        "query($id: ID!) { leaderboard { around(userId: $id) { rank } } }",
        "query($id: ID!) { leaderboard { friends(userIds: [$id]) { rank } } }",
    ],
)
async def test_an_id_in_another_spelling_is_bad_input(service: Service, query: str):
    alice = service.player("alice")
    await alice.play()
    user_id = await my_id(service, "alice")
    await alice.ask(query, id=user_id)
    for spelling in spellings(user_id):
        assert (await alice.fails(query, id=spelling))["code"] == "BAD_USER_INPUT"


async def test_a_back_end_names_players_by_the_subjects_of_their_tokens(service: Service):
    alice, server = service.player("alice"), service.player("game", Role.SERVER)
    query = """mutation($input: RecordActionInput!) {
      recordAction(input: $input) { __typename ... on ScoreAccepted { user { id } } } }"""
    report = {"user": {"subject": "alice"}, "username": "alice", "actionType": "COMPLETE_LEVEL", "idempotencyKey": "1"}
    recorded = await server.ask(query, input=report)
    assert recorded["recordAction"]["user"]["id"] == (await alice.ask(ME))["me"]["user"]["id"]
