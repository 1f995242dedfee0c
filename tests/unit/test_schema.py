"""The contract: written down, and described to the last value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    is_specified_directive,
    specified_scalar_types,
)

from app.domain.rate_limits import Activity
from app.graphql import activities_of, build_schema, print_sdl

SDL = Path(__file__).parents[2] / "schema.graphql"


def descriptions() -> Iterator[tuple[str, str | None]]:
    """Everything in the schema that can have a description, by its coordinate."""
    schema = build_schema()._schema
    for directive in schema.directives:
        if not is_specified_directive(directive):
            yield f"@{directive.name}", directive.description
            yield from ((f"@{directive.name}({name}:)", each.description) for name, each in directive.args.items())
    for owner in schema.type_map.values():
        if owner.name.startswith("__") or owner.name in specified_scalar_types:
            continue
        if not (isinstance(owner, GraphQLScalarType) and owner.description):
            yield owner.name, owner.description
        if isinstance(owner, GraphQLEnumType):
            yield from ((f"{owner.name}.{name}", value.description) for name, value in owner.values.items())
        if isinstance(owner, GraphQLInputObjectType):
            yield from ((f"{owner.name}.{name}", field.description) for name, field in owner.fields.items())
        if isinstance(owner, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in owner.fields.items():
                yield f"{owner.name}.{name}", field.description
                yield from ((f"{owner.name}.{name}({key}:)", each.description) for key, each in field.args.items())


def test_every_description_in_the_schema_has_at_least_four_words():
    assert [where for where, description in descriptions() if len((description or "").split()) < 4] == []


def test_the_walk_over_the_schema_reaches_every_kind_of_thing():
    reached = {where for where, _ in descriptions()}
    assert {"Query", "Query.leaderboard", "Leaderboard.around(radius:)", "Period.DAILY"} <= reached
    assert {"SubmitScoreInput.actionToken", "UserError.code", "SubmitScoreResult", "ErrorCode"} <= reached


def test_the_committed_schema_equals_the_code():
    assert SDL.read_text() == print_sdl(), "run `make schema` and commit schema.graphql"


def test_a_list_of_what_the_first_clients_rely_on_is_there():
    fields = {where for where, _ in descriptions()}
    assert {
        "Leaderboard.standings(first:)",
        "Leaderboard.standings(after:)",
        "Leaderboard.friends(userIds:)",
        "Subscription.userUpdates(userId:)",
        "Subscription.milestones(userId:)",
        "Subscription.leaderboardUpdates(aroundUserId:)",
        "Query.scoreHistory(from:)",
        "Query.rankHistory(to:)",
        "Query.transactions(after:)",
    } <= fields


def test_every_mutation_names_the_rate_limit_it_counts_against():
    schema = build_schema()
    activities = activities_of(schema)
    assert set(schema._schema.mutation_type.fields) <= set(activities)
    assert {name for name, activity in activities.items() if activity is Activity.SUBMIT} == {
        "submitScore",
        "submitSignedAction",
    }
    assert {name for name, activity in activities.items() if activity is Activity.ISSUE} == {
        "issueActionToken",
        "openSigningSession",
    }


def test_a_schema_does_not_build_with_a_mutation_that_names_no_rate_limit():
    @strawberry.type
    class Query:
        present: bool = True

    @strawberry.type
    class Mutation:
        @strawberry.mutation(metadata={"activity": Activity.QUERY})
        def counted(self) -> bool:
            return True

        @strawberry.mutation
        def uncounted(self) -> bool:
            return True

    with pytest.raises(TypeError, match="`uncounted` must have"):
        activities_of(strawberry.Schema(query=Query, mutation=Mutation))
