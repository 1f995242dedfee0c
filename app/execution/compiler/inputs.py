"""Strawberry's input objects from coerced values, with all that depends on types alone worked out ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from typing import Any

from graphql import GraphQLInputObjectType, GraphQLInputType, is_leaf_type
from graphql import get_nullable_type as nullable
from strawberry.relay.types import GlobalID
from strawberry.schema.config import StrawberryConfig
from strawberry.types.base import StrawberryMaybe, StrawberryOptional, has_object_definition
from strawberry.types.unset import UNSET

ConvertInput = Callable[[Any], Any]


class UnsupportedInput(Exception):
    """A type that only Strawberry itself can make values of."""


def input_converter(
    type_: Any, definition: GraphQLInputType, config: StrawberryConfig, within: frozenset[type] = frozenset()
) -> ConvertInput | None:
    """What turns a coerced value of a type into what resolvers receive; None where it is that already.

    The same as Strawberry's `convert_argument`, for scalars, enums and plain input objects of those. `definition` is
    the type in graphql-core's terms, `within` are the input objects around it. Raises Unknown for everything else.
    """
    if isinstance(type_, StrawberryMaybe):
        raise UnsupportedInput
    if isinstance(type_, StrawberryOptional):
        type_ = type_.of_type
    named = nullable(definition)
    if is_leaf_type(named):
        if type_ is GlobalID:
            raise UnsupportedInput
        return None
    if not isinstance(named, GraphQLInputObjectType) or not has_object_definition(type_):
        raise UnsupportedInput
    if type_ in within:  # It contains itself: there is no end to working it out.
        raise UnsupportedInput
    return _object_converter(type_, named, config, within | {type_})


def _object_converter(
    type_: type, named: GraphQLInputObjectType, config: StrawberryConfig, within: frozenset[type]
) -> ConvertInput:
    shape = type_.__strawberry_definition__  # type: ignore[attr-defined]
    if shape.from_input is not None or not shape.is_input:
        raise UnsupportedInput
    # What has no default of its own and is not given is None, as in Strawberry.
    absent = dict.fromkeys(
        field.python_name
        for field in shape.fields
        if field.default_value is MISSING and field.default_factory is MISSING
    )
    members: list[tuple[str, str, ConvertInput | None]] = []
    for field in shape.fields:
        name = config.name_converter.from_field(field)
        inner = input_converter(field.resolve_type(type_definition=shape), named.fields[name].type, config, within)
        members.append((name, field.python_name, inner))

    def make(value: Any) -> Any:
        if value is None or value is UNSET:
            return value
        given = absent.copy()
        for name, python_name, inner in members:
            if name in value:
                given[python_name] = value[name] if inner is None else inner(value[name])
        return type_(**given)

    return make
