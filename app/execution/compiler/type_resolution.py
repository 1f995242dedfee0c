"""Which Python class stands for which object type."""

from __future__ import annotations

from graphql import (
    GraphQLAbstractType,
    GraphQLObjectType,
    GraphQLSchema,
    is_interface_type,
)
from strawberry.types.base import StrawberryObjectDefinition

from app.execution._upstream import STRAWBERRY_DEFINITION, get_strawberry_type_cast
from app.execution.compiler.field_collection import Unsupported

Variants = dict[type, GraphQLObjectType]


def definition_of(object_type: GraphQLObjectType) -> StrawberryObjectDefinition:
    """Strawberry's definition. Raises Unsupported for a type with its own idea of its instances."""
    definition = object_type.extensions.get(STRAWBERRY_DEFINITION)
    if not isinstance(definition, StrawberryObjectDefinition) or definition.is_type_of is not None:
        raise Unsupported(object_type.name)
    return definition


def classes_of(object_type: GraphQLObjectType) -> tuple[type, ...]:
    """The classes whose direct instances are certainly of this type.

    Other values may be too, such as instances of subclasses; graphql-core decides about those.
    """
    definition = definition_of(object_type)
    generic = definition.concrete_of
    return (definition.origin, generic.origin) if generic else (definition.origin,)


def variants_of(schema: GraphQLSchema, abstract: GraphQLAbstractType) -> Variants:
    """The object type of each class that certainly has one in this union or interface.

    A specialised generic shares its class with its siblings and is not among them.
    """
    above = abstract.extensions.get(STRAWBERRY_DEFINITION)
    if is_interface_type(abstract) and getattr(above, "resolve_type", None) is not None:
        raise Unsupported(abstract.name)
    variants: Variants = {}
    for object_type in schema.get_possible_types(abstract):
        definition = definition_of(object_type)
        own = vars(definition.origin).get("__strawberry_definition__") is definition
        if own and definition.name == object_type.name:
            variants[definition.origin] = object_type
    return variants


def is_cast(value: object) -> bool:
    """Whether `strawberry.cast` made the value an instance of something else than its class."""
    return get_strawberry_type_cast(value) is not None
