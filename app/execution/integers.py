"""Integer types: `Int`, and the custom scalars whose definition says which integers they have."""

from __future__ import annotations

from graphql import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT, GraphQLInt, GraphQLScalarType, GraphQLType

INTEGERS = "integers"
"""The key in the `extensions` of a scalar for its least and greatest integer. Those between are their own value."""


def integers_of(type_: GraphQLType) -> tuple[int, int] | None:
    """Return the least and the greatest integer of an integer type; None for any other type."""
    if type_ is GraphQLInt:
        return GRAPHQL_MIN_INT, GRAPHQL_MAX_INT
    return type_.extensions.get(INTEGERS) if isinstance(type_, GraphQLScalarType) else None
