"""The names of graphql-core and Strawberry that the engine uses although they are not public.

The package imports private functions and classes from here, and the attributes that it reads of `Executor`, `Info` and
Strawberry's converter are listed here. `check_names` fails at import when one of them is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import strawberry
from graphql import GraphQLSchema
from graphql.execution import Executor, create_source_event_stream
from graphql.execution.collect_fields import FieldDetailsList, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues
from graphql.pyutils import gather_with_cancel
from graphql.utilities.coerce_input_value import coerce_default_value
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.cast import get_strawberry_type_cast
from strawberry.types.field import StrawberryField

from app.execution.upstream_check import UpstreamChanged, require_names

__all__ = [
    "STRAWBERRY_DEFINITION",
    "Executor",
    "FieldDetailsList",
    "FragmentDetails",
    "VariableValues",
    "coerce_default_value",
    "collect_fields",
    "collect_subfields",
    "create_source_event_stream",
    "exception_handlers",
    "gather_with_cancel",
    "get_strawberry_type_cast",
    "get_variable_signature",
    "graphql_schema",
    "is_basic_resolver",
    "optimized_is_awaitable",
]

STRAWBERRY_DEFINITION = "strawberry-definition"
"""The key under which Strawberry keeps its definition in the `extensions` of types and fields of graphql-core."""

BASIC_RESOLVER = "_get_basic_result"
"""The name of the function by which Strawberry resolves a field that is an attribute of its source."""

EXECUTOR_NAMES = (
    "async_helpers",
    "build",
    "build_per_event_executor",
    "build_resolve_info",
    "collected_errors",
    "complete_value",
    "execute_field",
    "execute_operation",
    "handle_field_error",
    "schema",
    "settle_in_background",
    "variable_values",
)


def check_names() -> None:
    """Check that every private name exists. Raises UpstreamChanged."""
    require_names("graphql-core", Executor, *EXECUTOR_NAMES)
    require_names("strawberry-graphql", strawberry.Schema, "_schema", "schema_converter", "execution_context_class")
    require_names("strawberry-graphql", strawberry.Info, "_raw_info", "_field")
    require_names("strawberry-graphql", StrawberryField, "base_resolver", "is_basic_field", "metadata")
    require_names("strawberry-graphql", GraphQLCoreConverter, "_get_field_exception_handlers", "scalar_registry")
    if getattr(GraphQLCoreConverter, "DEFINITION_BACKREF", None) != STRAWBERRY_DEFINITION:
        raise UpstreamChanged(f"strawberry-graphql does not keep its definitions under `{STRAWBERRY_DEFINITION}`")
    inner_functions = (getattr(code, "co_name", None) for code in GraphQLCoreConverter.from_resolver.__code__.co_consts)
    if BASIC_RESOLVER not in inner_functions:
        raise UpstreamChanged(f"strawberry-graphql does not resolve attributes by `{BASIC_RESOLVER}`")


def graphql_schema(schema: strawberry.Schema) -> GraphQLSchema:
    """Return graphql-core's schema behind a Strawberry schema."""
    return schema._schema


def exception_handlers(schema: strawberry.Schema, field: StrawberryField) -> Sequence[Any]:
    """Return the exception handlers of a field: pairs of exception types and a handler."""
    return schema.schema_converter._get_field_exception_handlers(field)


def is_basic_resolver(resolve: Any) -> bool:
    """Return whether `resolve` is the function by which Strawberry reads an attribute of the source."""
    return getattr(resolve, "__name__", "") == BASIC_RESOLVER


check_names()
