"""The compilation of operations to closures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from types import CoroutineType
from typing import Any

import strawberry
from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationType,
    is_abstract_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

from app.execution._upstream import graphql_schema
from app.execution.compiler.execution_state import ExecutionState
from app.execution.compiler.field_collection import FieldCollector, SelectedField, UnsupportedSelection
from app.execution.compiler.fields import (
    Complete,
    ExecuteField,
    concurrent_selection,
    graphql_core_completion,
    graphql_core_field,
    list_completion,
    non_null_completion,
    object_completion,
    projection_completion,
    resolver_field,
    serial_selection,
    with_error_handling,
)
from app.execution.compiler.projection import Projector
from app.execution.compiler.resolver import resolver_call
from app.execution.compiler.type_resolution import classes_of, variants_of
from app.execution.documents.operation import Operation
from app.execution.lru_cache import LRUCache
from app.execution.response import Response

# Roughly the memory that the closures of one field take.
BYTES_PER_FIELD = 2000


class Plan:
    """The compiled form of an operation."""

    __slots__ = ("_root",)

    def __init__(self, root: ExecuteField) -> None:
        self._root = root

    async def execute(self, state: ExecutionState) -> Response:
        """Execute the operation once. Errors of resolvers are in the response."""
        try:
            data = self._root(state.root, None, state)
            if data.__class__ is CoroutineType:
                data = await data
        except GraphQLError as error:
            state.graphql_core.collected_errors.add(error, None)
            data = None
        return Response(data, state.errors)


class Compiler:
    """Compiles operations of one schema, and caches the plans used last."""

    def __init__(self, schema: strawberry.Schema, max_entries: int, max_bytes: int) -> None:
        """Cache up to `max_entries` plans in about `max_bytes` of memory."""
        self._schema = schema
        # Projections read attributes as `getattr` does, so another default resolver is not supported.
        self._has_default_resolver = schema.config.default_resolver is getattr
        self.plans: LRUCache[tuple[Any, ...], Plan | _PlanStatus] = LRUCache(max_entries, max_bytes)

    def plan(self, operation: Operation, variables: dict[str, Any]) -> Plan | None:
        """Return the plan for these values of variables, or None when graphql-core has to execute the operation.

        graphql-core executes it the first time: compiling costs as much as a few executions, and many documents are
        sent only once.
        """
        if operation.conditions is None or not self._has_default_resolver:
            return None
        # Each combination of the variables in @skip and @include has its own plan.
        key = (operation, *[variables.get(name) for name in operation.conditions])
        known = self.plans.get(key)
        if isinstance(known, Plan):
            return known
        if known is _PlanStatus.EXECUTED_ONCE:
            return self._compile(key, operation, variables)
        if known is None:
            self.plans.put(key, _PlanStatus.EXECUTED_ONCE, 1)
        return None

    def _compile(self, key: tuple[Any, ...], operation: Operation, variables: dict[str, Any]) -> Plan | None:
        root = graphql_schema(self._schema).get_root_type(operation.kind)
        assert root is not None
        # The status stays when compiling fails, and when the plan is too large for the cache.
        self.plans.put(key, _PlanStatus.UNSUPPORTED, 1)
        collector = FieldCollector(graphql_schema(self._schema), operation.document, operation.definition, variables)
        try:
            plan = Plan(_PlanCompiler(self._schema, collector).root(root, operation.kind))
        except (UnsupportedSelection, RecursionError):
            return None
        self.plans.put(key, plan, BYTES_PER_FIELD * collector.fields)
        return plan


class _PlanStatus(Enum):
    """The entry of an operation that has no plan."""

    EXECUTED_ONCE = "executed once"
    UNSUPPORTED = "always executed by graphql-core"


class _PlanCompiler:
    """Compiles the closures of one plan."""

    def __init__(self, schema: strawberry.Schema, collector: FieldCollector) -> None:
        self._schema = schema
        self._collector = collector
        self._projector = Projector(collector)

    def root(self, root: GraphQLObjectType, kind: OperationType) -> ExecuteField:
        """Compile the root selection set."""
        fields = self._collector.root(root)
        if kind is OperationType.MUTATION:
            return serial_selection([(field.key, self._field(field)) for field in fields])
        return self._selection(fields)

    def _selection(self, fields: Sequence[SelectedField]) -> ExecuteField:
        plain = [field for field in fields if self._projector.is_plain_field(field)]
        not_plain = set(map(id, fields)) - set(map(id, plain))
        executors = [(field.key, self._field(field)) for field in fields]
        with_resolver = [executors[index] for index, field in enumerate(fields) if id(field) in not_plain]
        return concurrent_selection(self._projector.attributes(fields, plain), with_resolver, executors)

    def _field(self, field: SelectedField) -> ExecuteField:
        if self._projector.is_plain_field(field):
            return graphql_core_field(field)
        type_ = field.definition.type
        settle = with_error_handling(self._complete(type_, field), type_, field.details)
        return resolver_field(field, resolver_call(field, self._schema), settle)

    def _complete(self, type_: GraphQLOutputType, field: SelectedField) -> Complete:
        if self._projector.is_plain(type_, field.details):
            return projection_completion(
                self._projector.value(type_, field.details), graphql_core_completion(type_, field)
            )
        if is_non_null_type(type_):
            return non_null_completion(self._complete(type_.of_type, field), field)
        otherwise = graphql_core_completion(type_, field)
        if is_list_type(type_):
            member = type_.of_type
            return list_completion(with_error_handling(self._complete(member, field), member, field.details), otherwise)
        return self._object(type_, field, otherwise)

    def _object(self, type_: Any, field: SelectedField, otherwise: Complete) -> Complete:
        schema = self._collector.schema
        if is_object_type(type_):
            variants: dict[type, GraphQLObjectType] = dict.fromkeys(classes_of(type_), type_)
        else:
            assert is_abstract_type(type_)
            variants = variants_of(schema, type_)
        selections: dict[str, Callable[..., Any]] = {
            each.name: self._selection(self._collector.subfields(each, field.details)) for each in variants.values()
        }
        uncertain = not is_object_type(type_) or type_.is_type_of is not None
        return object_completion({cls: selections[each.name] for cls, each in variants.items()}, uncertain, otherwise)
