"""Input objects of a schema."""

from __future__ import annotations

from graphql import GraphQLInputField, GraphQLInputObjectType, is_required_input_field

from app.execution._upstream import STRAWBERRY_DEFINITION


def fields_to_give(type_: GraphQLInputObjectType) -> dict[str, GraphQLInputField]:
    """Return the fields that an input object must have: the required ones, or one where exactly one must be given."""
    if getattr(type_.extensions.get(STRAWBERRY_DEFINITION), "is_one_of", type_.is_one_of):
        return dict(list(type_.fields.items())[:1])
    return {name: field for name, field in type_.fields.items() if is_required_input_field(field)}
