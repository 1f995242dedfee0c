"""The Python classes of object types."""

from __future__ import annotations

from graphql import (
    GraphQLAbstractType,
    GraphQLObjectType,
    GraphQLSchema,
    is_interface_type,
)
from strawberry.types.base import StrawberryObjectDefinition

from app.execution._upstream import STRAWBERRY_DEFINITION
from app.execution.compiler.field_collection import UnsupportedSelection

Variants = dict[type, GraphQLObjectType]


def definition_of(object_type: GraphQLObjectType) -> StrawberryObjectDefinition:
    """Return Strawberry's definition. Raises Unsupported for a type with an `is_type_of` of its own."""
    definition = object_type.extensions.get(STRAWBERRY_DEFINITION)
    if not isinstance(definition, StrawberryObjectDefinition) or definition.is_type_of is not None:
        raise UnsupportedSelection(object_type.name)
    return definition


def classes_of(object_type: GraphQLObjectType) -> tuple[type, ...]:
    """Return the classes whose direct instances are certainly of this type.

    Other values may be of this type too, such as instances of subclasses; graphql-core decides about those.
    """
    definition = definition_of(object_type)
    generic = definition.concrete_of
    return (definition.origin, generic.origin) if generic else (definition.origin,)


def variants_of(schema: GraphQLSchema, abstract: GraphQLAbstractType) -> Variants:
    """Return the object type of each class that certainly has one in this union or interface.

    A specialised generic is left out, because it shares its class with other types.
    """
    above = abstract.extensions.get(STRAWBERRY_DEFINITION)
    if is_interface_type(abstract) and getattr(above, "resolve_type", None) is not None:
        raise UnsupportedSelection(abstract.name)
    variants: Variants = {}
    for object_type in schema.get_possible_types(abstract):
        definition = definition_of(object_type)
        own = vars(definition.origin).get("__strawberry_definition__") is definition
        if own and definition.name == object_type.name:
            variants[definition.origin] = object_type
    return variants
