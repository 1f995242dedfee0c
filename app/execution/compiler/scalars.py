"""Scalars and enums on their way out: the plain case inline, every other through the type itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
    Undefined,
)

from app.execution._upstream import optimized_is_awaitable

# Conditions under which a value is its own output. They test for the exact class: a bool is an
# int to isinstance, and a subclass may serialise differently.
INLINE_CONDITIONS: dict[GraphQLLeafType, str] = {
    GraphQLString: "type({0}) is str",
    GraphQLID: "type({0}) is str",
    GraphQLBoolean: "type({0}) is bool",
    GraphQLInt: "type({0}) is int and -2147483648 <= {0} <= 2147483647",
    GraphQLFloat: "type({0}) is float and {0} - {0} == 0",  # neither infinite nor NaN
}

# Values that need no look for exceptions and awaitables among them.
NEVER_AWAITABLE = frozenset({str, int, float, bool, dict, list, datetime, date, time, timedelta, Decimal, UUID})


class UnexpectedValue(Exception):
    """A value is not what its type promises, or not in its usual shape; graphql-core judges it."""


def output_coercion(leaf: GraphQLLeafType) -> Callable[[Any], Any]:
    """A function from a resolved value to its output. Whatever it raises means the value is unfit."""
    coerce = leaf.coerce_output_value

    def output(value: Any) -> Any:
        if type(value) not in NEVER_AWAITABLE and (
            value is None or value is Undefined or isinstance(value, Exception) or optimized_is_awaitable(value)
        ):
            raise UnexpectedValue
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise UnexpectedValue
        return coerced

    return output


def enum_outputs(leaf: GraphQLLeafType) -> dict[Enum, str] | None:
    """The name of every member of the Python enum behind an enum type, if there is one."""
    enum: Any = getattr(leaf, "wrapped_cls", None)
    if not isinstance(leaf, GraphQLEnumType) or not (isinstance(enum, type) and issubclass(enum, Enum)):
        return None
    return {member: leaf.coerce_output_value(member) for member in enum}
