"""Overlong values are refused before any of their items is looked at."""

from contextlib import suppress
from typing import Any

import pytest

from app.execution import Engine, RequestError
from app.execution.limits.storable_values import MAX_MEMBERS, count_members
from app.graphql import build_engine, build_schema
from tests.support.work_count import Steps

SCHEMA = build_schema()
ID = "8f3c2b1a-0000-4000-8000-000000000001"
FRIENDS = "query($ids:[ID!]!){leaderboard{friends(userIds:$ids){rank}}}"
ISSUE = "mutation($input:IssueActionTokenInput!){issueActionToken(input:$input){__typename}}"


@pytest.fixture
def engine() -> Engine:
    return build_engine(SCHEMA, introspection=False, compile=True)


def refusal(engine: Engine, document: str, variables: dict[str, Any]) -> str:
    with pytest.raises(RequestError) as refused:
        engine.prepare(document).bind(variables)
    assert refused.value.errors[0].extensions == {"code": "BAD_USER_INPUT"}
    return refused.value.errors[0].message


def steps(engine: Engine, document: str, variables: dict[str, Any]) -> int:
    operation = engine.prepare(document)
    counter = Steps()
    with counter.counting(), suppress(RequestError):
        operation.bind(variables)
    return counter.number


def test_a_list_of_one_hundred_ids_passes_and_one_more_is_refused(engine: Engine):
    engine.prepare(FRIENDS).bind({"ids": [ID] * 100})
    assert refusal(engine, FRIENDS, {"ids": [ID] * 101}) == "Variable '$ids' must have at most 100 items."


def test_a_huge_list_costs_no_more_than_one_that_is_slightly_too_long(engine: Engine):
    steps(engine, FRIENDS, {"ids": [ID] * 101})
    assert steps(engine, FRIENDS, {"ids": [ID] * 30_000}) == steps(engine, FRIENDS, {"ids": [ID] * 101})
    assert steps(engine, FRIENDS, {"ids": [ID] * 30_000}) < steps(engine, FRIENDS, {"ids": [ID] * 100})


@pytest.mark.parametrize(
    "metadata",
    [
        [0] * 30_000,
        {"list": [[]] * 30_000},
        {str(number): 0 for number in range(30_000)},
        [[0] * 999] * 30,
    ],
    ids=["list", "nested list", "object", "list of lists"],
)
def test_json_with_too_many_values_is_refused_at_the_cost_of_a_small_one(engine: Engine, metadata: object):
    given = {"input": {"actionType": "X", "metadata": metadata}}
    assert f"at most {MAX_MEMBERS} items and members in all" in refusal(engine, ISSUE, given)
    assert steps(engine, ISSUE, given) < steps(engine, ISSUE, {"input": {"actionType": "X", "metadata": [0] * 1000}})


def test_all_variables_together_have_one_budget(engine: Engine):
    variables = " ".join(f"$v{n}:IssueActionTokenInput!" for n in range(5))
    fields = " ".join(f"f{n}:issueActionToken(input:$v{n}){{__typename}}" for n in range(5))
    given = {f"v{n}": {"actionType": "X", "metadata": [0] * 500} for n in range(5)}
    assert "in all" in refusal(engine, f"mutation({variables}){{{fields}}}", given)


def test_a_long_list_in_a_document_is_refused_before_validation(engine: Engine):
    def document(number: int) -> str:
        listed = ",".join([f'"{ID}"'] * number)
        return f"{{leaderboard{{friends(userIds:[{listed}]){{rank}}}}}}"

    engine.prepare(document(100))
    with pytest.raises(RequestError) as refused:
        engine.prepare(document(101))
    assert refused.value.errors[0].extensions == {"code": "BAD_USER_INPUT"}
    assert refused.value.errors[0].message == "`userIds` must have at most 100 items."


def test_members_are_counted_at_every_depth():
    assert count_members({"a": [1, 2, {"b": []}], "c": {}}, 100) == 2 + 3 + 1
    assert count_members("text", 100) == 0
    assert count_members([[0] * 50] * 50, 10) > 10
