"""Documents nobody thought of: both executors must give the same bytes and make the same calls."""

from __future__ import annotations

import asyncio

from graphql import IntValueNode, StringValueNode, ValueNode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import mutations, queries

from tests.unit.execution.differential import Pair
from tests.unit.execution.library import schema

SDL = schema.as_str()


def text(value: str) -> ValueNode:
    return StringValueNode(value=value)


SCALARS = {
    "DateTime": st.sampled_from(["2020-01-01T00:00:00Z", "soon"]).map(text),
    "Score": st.integers(-(2**53), 2**53).map(lambda number: IntValueNode(value=str(number))),
    "JSON": st.sampled_from(["x", ""]).map(text),
}

# One pair for all documents: plans of one document must not leak into another.
PAIR = Pair()

fast = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@fast
@given(queries(SDL, custom_scalars=SCALARS))
def test_generated_queries_agree(query: str) -> None:
    asyncio.run(PAIR.agree(query))


@fast
@given(mutations(SDL, custom_scalars=SCALARS))
def test_generated_mutations_agree(query: str) -> None:
    asyncio.run(PAIR.agree(query))
