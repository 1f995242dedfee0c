"""Which role may use which field: every field of the schema, with each role, through the real engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import UUID, uuid4

import orjson
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLObjectType,
    Undefined,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    is_non_null_type,
)

from app.context import Context, Services
from app.domain.users import Caller, Role
from app.execution import RequestError, Response
from app.graphql import build_engine, build_schema
from app.wiring import App
from tests.support.graphql.input_objects import fields_to_give
from tests.support.service import caller
from tests.support.wait_until import until

PUBLIC = frozenset(
    {
        "Query.actions",
        "Query.categories",
        "Query.leaderboard",
        "Query.me",
        "Query.node",
        "Query.nodes",
        "Query.players",
        "Query.rankHistory",
        "Query.scoreHistory",
        "Query.user",
        "Query.userRank",
        "Subscription.leaderboardUpdates",
        "Subscription.milestones",
        "Subscription.userUpdates",
    }
)
AUTHENTICATED = frozenset(
    {
        "Mutation.issueActionToken",
        "Mutation.openSigningSession",
        "Mutation.submitScore",
        "Mutation.submitSignedAction",
    }
)
PRIVATE = frozenset({"Query.transactions"})
"""Fields about one user that the user and moderators may read."""

ALLOWED: dict[Role | None, frozenset[str]] = {
    None: PUBLIC,
    Role.PLAYER: PUBLIC | AUTHENTICATED,
    Role.SERVER: PUBLIC | AUTHENTICATED | {"Mutation.recordAction", "Mutation.recordActions"},
    Role.MODERATOR: PUBLIC
    | AUTHENTICATED
    | PRIVATE
    | {
        "Query.catalogueChanges",
        "Query.eventDeadLetters",
        "Query.eventEndpoints",
        "Query.flags",
        "Mutation.addEventEndpoint",
        "Mutation.adjustScore",
        "Mutation.deleteUser",
        "Mutation.disableEventEndpoint",
        "Mutation.hideUser",
        "Mutation.rejectHeld",
        "Mutation.releaseHeld",
        "Mutation.removeEventEndpoint",
        "Mutation.removeMetadata",
        "Mutation.resendEventDeadLetters",
        "Mutation.resumeEventEndpoint",
        "Mutation.revertTransaction",
        "Mutation.rotateEventEndpointSecret",
        "Mutation.saveAction",
        "Mutation.saveCategory",
        "Mutation.unhideUser",
    },
}
"""The fields that each role may use with the id of another user; None is an anonymous request."""

REFUSALS = {"UNAUTHENTICATED", "FORBIDDEN"}

SCHEMA = build_schema()


def root_fields() -> Iterator[tuple[GraphQLObjectType, str, GraphQLField]]:
    """Yield every field of the root types with its type and name."""
    core = SCHEMA._schema
    for root in (core.query_type, core.mutation_type, core.subscription_type):
        for name, field in root.fields.items():
            yield root, name, field


def literal(name: str, kind: GraphQLInputType, user_id: UUID) -> str:
    """Return a value of a type as GraphQL text."""
    if is_non_null_type(kind):
        return literal(name, kind.of_type, user_id)
    if is_list_type(kind):
        return f"[{literal(name, kind.of_type, user_id)}]"
    if isinstance(kind, GraphQLInputObjectType):
        required = (
            f"{key}: {literal(key, get_nullable_type(field.type), user_id)}"
            for key, field in fields_to_give(kind).items()
        )
        return "{" + ", ".join(required) + "}"
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    values = {"ID": f'"{user_id}"', "Int": "1", "Score": "1", "Boolean": "true", "String": '"text"', "JSON": "1"}
    return f'"2026-01-0{2 if name == "to" else 1}T00:00:00Z"' if kind.name == "DateTime" else values[kind.name]


def is_required(argument: object) -> bool:
    return is_non_null_type(argument.type) and argument.default_value is Undefined and argument.default is None


def document(root: GraphQLObjectType, name: str, field: GraphQLField, user_id: UUID) -> str:
    """Return an operation with the required arguments and the user only; every id is `user_id`."""
    arguments = ", ".join(
        f"{key}: {literal(key, argument.type, user_id)}"
        for key, argument in field.args.items()
        if is_required(argument) or key == "userId"
    )
    selection = " { __typename }" if is_composite_type(get_named_type(field.type)) else ""
    return f"{root.name.lower()} {{ {name}{f'({arguments})' if arguments else ''}{selection} }}"


class Client:
    """Executes operations with one caller and returns the code of the error, if there is one."""

    def __init__(self, app: App, caller: Caller | None) -> None:
        self._app = app
        self._context = Context(Services.of(app), caller)
        self._engine = build_engine(SCHEMA, introspection=False, compile=True)

    async def code(self, text: str) -> str | None:
        operation = self._engine.prepare(text)
        if text.startswith("subscription"):
            return await self._subscription_code(text)
        return self._code(await self._engine.execute(operation, {}, self._context))

    async def _subscription_code(self, text: str) -> str | None:
        watchers = self._app.hub.watchers
        stream = await self._engine.subscribe(self._engine.prepare(text), {}, self._context)
        first = asyncio.ensure_future(anext(stream))
        await until(lambda: first.done() or self._app.hub.watchers > watchers)
        try:
            if not first.done():
                first.cancel()
                await asyncio.wait({first})
                return None
            return self._code(await first)
        except RequestError as error:
            return self._code(Response.of(error))
        finally:
            await stream.aclose()

    def _code(self, response: Response) -> str | None:
        errors = orjson.loads(self._engine.encode(response)).get("errors")
        return errors[0]["extensions"]["code"] if errors else None


def test_the_table_has_exactly_the_fields_of_the_schema():
    fields = {f"{root.name}.{name}" for root, name, _ in root_fields()}
    assert fields == frozenset.union(*ALLOWED.values())


@pytest.mark.parametrize("role", ALLOWED, ids=lambda role: role.value if role else "anonymous")
async def test_a_role_may_use_the_fields_of_the_table_and_no_others(app: App, role: Role | None):
    other = caller("other")
    await app.users.ensure(other)
    client = Client(app, None if role is None else caller("caller", role))
    refusal = "UNAUTHENTICATED" if role is None else "FORBIDDEN"
    wrong = {}
    for root, name, field in root_fields():
        code = await client.code(document(root, name, field, other.user_id))
        is_allowed = f"{root.name}.{name}" in ALLOWED[role]
        if (code in REFUSALS) if is_allowed else (code != refusal):
            wrong[f"{root.name}.{name}"] = code
    assert wrong == {}


@pytest.mark.parametrize("role", Role)
async def test_everybody_may_read_private_fields_about_themselves(app: App, role: Role):
    own = caller("own", role)
    await app.users.ensure(own)
    client = Client(app, own)
    codes = {
        f"{root.name}.{name}": await client.code(document(root, name, field, own.user_id))
        for root, name, field in root_fields()
        if f"{root.name}.{name}" in PRIVATE
    }
    assert codes == dict.fromkeys(PRIVATE)


async def test_the_generated_operations_name_the_other_user_wherever_an_id_is_required():
    user_id = uuid4()
    with_ids = {name for root, name, field in root_fields() if str(user_id) in document(root, name, field, user_id)}
    assert {"user", "transactions", "userRank", "userUpdates", "hideUser", "deleteUser", "adjustScore"} <= with_ids
