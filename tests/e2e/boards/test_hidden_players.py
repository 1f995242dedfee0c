"""A hidden player is seen by moderators and the player alone, by whichever field of the schema."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_required_argument,
)

from app.domain.users import HIDDEN_USERNAME, Role
from app.graphql import build_schema as build_service_schema
from tests.support.graphql.socket_client import SocketClient, connected
from tests.support.service import Player, Service, user_id

SCHEMA: GraphQLSchema = build_schema(build_service_schema().as_str())
PERSONAL = ("username", "avatarUrl")
MAX_DEPTH = 7

NAME, OTHER_NAME = "Voldemort", "Harry"

MODERATORS_ONLY = {"flags"}
"""Root fields that refuse other callers, with FORBIDDEN or UNAUTHENTICATED."""

HIDE = 'mutation($id: ID!) { hideUser(userId: $id, reason: "cheating") { user { username } } }'
UNHIDE = 'mutation($id: ID!) { unhideUser(userId: $id, reason: "sorry") { user { username } } }'
RECORD = """mutation($input: RecordActionInput!) { recordAction(input: $input) {
  __typename ... on ScoreAccepted { user { username avatarUrl } } } }"""


def arguments(field: GraphQLField, hidden: UUID) -> str | None:
    """Return the arguments of a field, which concern the hidden player wherever they can; None if it needs others."""
    known = {
        "userId": f'"{hidden}"',
        "aroundUserId": f'"{hidden}"',
        "id": f'"{hidden}"',
        "ids": f'["{hidden}", "PlayerProfile:{hidden}", "UserRank:global/ALL_TIME/{hidden}"]',
        "search": f'"{NAME[:3]}"',
        "userIds": f'["{hidden}"]',
        "from": '"2020-01-01T00:00:00Z"',
        "to": '"2020-02-01T00:00:00Z"',
    }
    given = {name: known[name] for name in field.args if name in known}

    def is_missing(name: str, argument: GraphQLArgument) -> bool:
        return is_required_argument(argument) and name not in given

    if any(is_missing(name, argument) for name, argument in field.args.items()):
        return None
    return "(" + ", ".join(f"{name}: {value}" for name, value in given.items()) + ")" if given else ""


def selection(type_: object, hidden: UUID, depth: int = MAX_DEPTH) -> str | None:
    """Return a selection of every name and picture below a type; None if there is none."""
    if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) or not depth:
        return None
    parts = [name for name in PERSONAL if name in type_.fields]
    for name, field in type_.fields.items():
        below = selection(get_named_type(field.type), hidden, depth - 1)
        if below is None:
            continue
        given = arguments(field, hidden)
        assert given is not None, f"this test must know arguments for {type_.name}.{name}"
        parts.append(f"{name}{given} {below}")
    if isinstance(type_, GraphQLInterfaceType):
        below = {each.name: selection(each, hidden, depth - 1) for each in SCHEMA.get_possible_types(type_)}
        parts += [f"... on {name} {inner}" for name, inner in below.items() if inner is not None]
    return "{ " + " ".join(parts) + " }" if parts else None


def documents(root: GraphQLObjectType | None, hidden: UUID) -> dict[str, str]:
    """Return a document for each root field that leads to a name."""
    assert root is not None
    found = {}
    for name, field in root.fields.items():
        below = selection(get_named_type(field.type), hidden)
        if below is None:
            continue
        given = arguments(field, hidden)
        assert given is not None, f"this test must know arguments for {root.name}.{name}"
        found[name] = f"{name}{given} {below}"
    return found


@pytest.fixture
async def hidden(service: Service) -> UUID:
    """Return the id of a player with scores who was seen by everybody, and then hidden."""
    played = await service.player(NAME).play()
    await service.player(OTHER_NAME).play("COMPLETE_MISSION")
    hidden = user_id(played)
    for document in documents(SCHEMA.query_type, hidden).values():
        await service.anonymous.post("{ " + document + " }")  # fills every cache
    moderator = service.player("moderator", Role.MODERATOR)
    assert (await moderator.ask(HIDE, id=str(hidden)))["hideUser"]["user"]["username"] == NAME
    return hidden


def others(service: Service) -> dict[str, Player]:
    return {
        "anonymous": service.anonymous,
        "another player": service.player(OTHER_NAME),
        "a server": service.player("game", Role.SERVER),
    }


async def test_no_query_shows_the_name_of_a_hidden_player_to_others(service: Service, hidden: UUID):
    found = documents(SCHEMA.query_type, hidden)
    expected = {"leaderboard", "userRank", "user", "scoreHistory", "rankHistory", "me", "node", "nodes", "players"}
    assert expected <= found.keys()
    for who, viewer in others(service).items():
        for name, document in found.items():
            body = (await viewer.post("{ " + document + " }")).json()
            assert NAME not in json.dumps(body), (who, name)
            codes = {error["extensions"]["code"] for error in body.get("errors", ())}
            assert codes <= {"FORBIDDEN", "UNAUTHENTICATED"}, (who, name, body)
            assert not codes or name in MODERATORS_ONLY or viewer.token is None, (who, name, body)


@pytest.mark.parametrize("name", ["userRank", "scoreHistory", "rankHistory"])
async def test_others_see_that_somebody_is_hidden(service: Service, hidden: UUID, name: str):
    body = await service.anonymous.ask("{ " + documents(SCHEMA.query_type, hidden)[name] + " }")
    assert body[name]["user"] == {"username": HIDDEN_USERNAME, "avatarUrl": None}


@pytest.mark.parametrize("role", [Role.PLAYER, Role.MODERATOR])
@pytest.mark.parametrize("name", ["user", "userRank", "scoreHistory", "rankHistory"])
async def test_the_player_and_moderators_see_the_name(service: Service, hidden: UUID, name: str, role: Role):
    viewer = service.player(NAME) if role is Role.PLAYER else service.player("moderator", role)
    assert NAME in (await viewer.post("{ " + documents(SCHEMA.query_type, hidden)[name] + " }")).text


async def test_the_player_sees_the_own_name_everywhere_else_too(service: Service, hidden: UUID):
    alice = service.player(NAME)
    assert (await alice.ask("{ me { user { username } } }"))["me"]["user"]["username"] == NAME
    played = await alice.play()
    assert played["user"]["username"] == NAME


async def test_no_subscription_shows_the_name_of_a_hidden_player(service: Service, hidden: UUID):
    found = documents(SCHEMA.subscription_type, hidden)
    assert {"leaderboardUpdates", "userUpdates", "milestones"} <= found.keys()
    async with connected(service.socket_url) as client:
        ids = dict(enumerate(found.values()))
        for number, document in ids.items():
            await client.subscribe("subscription { " + document + " }", id=str(number))
        heard = await messages_of(client, at_least=2)
        # The hidden player and another one go on playing: whoever watches gets another message.
        await service.player(NAME).play("COMPLETE_MISSION")
        await service.player(OTHER_NAME).play("COMPLETE_QUIZ")
        heard += await messages_of(client, at_least=1)
    assert NAME not in json.dumps(heard)


async def test_the_message_by_which_a_player_leaves_the_board_has_no_name(service: Service):
    played = await service.player(NAME).play()
    document = documents(SCHEMA.subscription_type, user_id(played))["leaderboardUpdates"].replace(
        f'(aroundUserId: "{user_id(played)}")', ""
    )
    async with connected(service.socket_url) as client:
        await client.subscribe("subscription { " + document + " }")
        assert NAME in json.dumps(await client.hear_next())
        await service.player("moderator", Role.MODERATOR).ask(HIDE, id=str(user_id(played)))
        message = (await client.hear_next())["data"]["leaderboardUpdates"]
    assert [change["user"]["username"] for change in message["changes"]] == [HIDDEN_USERNAME]
    assert NAME not in json.dumps(message)


async def messages_of(client: SocketClient, *, at_least: int) -> list[dict[str, Any]]:
    """Return the messages until there are enough and none is on its way."""
    heard = [await client.hear() for _ in range(at_least)]
    await client.say({"type": "ping"})
    while (message := await client.hear())["type"] != "pong":
        heard.append(message)
    assert all(message["type"] != "error" for message in heard), heard
    return heard


async def test_a_back_end_does_not_learn_the_name_from_a_receipt(service: Service, hidden: UUID):
    server = service.player("game", Role.SERVER)
    report = {"user": {"id": str(hidden)}, "actionType": "COMPLETE_LEVEL", "idempotencyKey": "1"}
    for _ in range(2):  # the second one is a repeat
        assert NAME not in json.dumps(await server.ask(RECORD, input=report))


async def test_a_player_who_is_shown_again_has_the_name_back(service: Service, hidden: UUID):
    moderator = service.player("moderator", Role.MODERATOR)
    await moderator.ask(UNHIDE, id=str(hidden))
    for name in ("userRank", "user", "scoreHistory"):
        document = documents(SCHEMA.query_type, hidden)[name]
        assert NAME in (await service.anonymous.post("{ " + document + " }")).text
