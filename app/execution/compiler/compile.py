"""Operations compiled to closures."""

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

from app.execution.compiler.completion import Complete, delegated, listed, one_of, projected, required, settled
from app.execution.compiler.execution_state import ExecutionState
from app.execution.compiler.field_collection import Collector, SelectedField, Unsupported
from app.execution.compiler.field_executors import Field, concurrently, interpreted, resolved, serially
from app.execution.compiler.projection import Projector
from app.execution.compiler.resolver import caller
from app.execution.compiler.type_resolution import classes_of, variants_of
from app.execution.documents.operation import Operation
from app.execution.lru_cache import LRUCache
from app.execution.response import Response

# What the closures of one field take, roughly.
BYTES_PER_FIELD = 2000


class Plan:
    """The compiled form of an operation."""

    __slots__ = ("_root",)

    def __init__(self, root: Field) -> None:
        self._root = root

    async def execute(self, run: ExecutionState) -> Response:
        """One execution. Errors of resolvers are in the response."""
        try:
            data = self._root(run.root, None, run)
            if data.__class__ is CoroutineType:
                data = await data
        except GraphQLError as error:
            run.core.collected_errors.add(error, None)
            data = None
        return Response(data, run.errors)


class Compiler:
    """Compiles operations over one schema, and remembers the plans used last."""

    def __init__(self, schema: strawberry.Schema, entries: int, size: int) -> None:
        """Keep up to `entries` plans in about `size` bytes of memory."""
        self._schema = schema
        # Attributes are read as `getattr` does; another default resolver would need its own ways.
        self._able = schema.config.default_resolver is getattr
        self._plans: LRUCache[tuple[Any, ...], Plan | _Mark] = LRUCache(entries, size)

    def plan(self, operation: Operation, variables: dict[str, Any]) -> Plan | None:
        """The plan for these values of variables, or None when graphql-core has to execute.

        It has to do so the first time: compiling costs as much as a few executions, and many a
        document is sent only once.
        """
        if operation.conditions is None or not self._able:
            return None
        # Each combination of the variables in @skip and @include has its own plan.
        key = (operation, *[variables.get(name) for name in operation.conditions])
        known = self._plans.get(key)
        if isinstance(known, Plan):
            return known
        if known is _Mark.SEEN:
            return self._compile(key, operation, variables)
        if known is None:
            self._plans.put(key, _Mark.SEEN, 1)
        return None

    def _compile(self, key: tuple[Any, ...], operation: Operation, variables: dict[str, Any]) -> Plan | None:
        root = self._schema._schema.get_root_type(operation.kind)
        assert root is not None
        # The mark stays when compiling fails, and when the plan is too heavy to be kept.
        self._plans.put(key, _Mark.INTERPRETED, 1)
        collector = Collector(self._schema._schema, operation.document, operation.definition, variables)
        try:
            plan = Plan(_Writer(self._schema, collector).root(root, operation.kind))
        except (Unsupported, RecursionError):
            return None
        self._plans.put(key, plan, BYTES_PER_FIELD * collector.fields)
        return plan


class _Mark(Enum):
    """What stands in the place of a plan."""

    SEEN = "executed once"
    INTERPRETED = "left to graphql-core for good"


class _Writer:
    """Writes the closures of one plan."""

    def __init__(self, schema: strawberry.Schema, collector: Collector) -> None:
        self._schema = schema
        self._collector = collector
        self._projector = Projector(collector)

    def root(self, root: GraphQLObjectType, kind: OperationType) -> Field:
        fields = self._collector.root(root)
        if kind is OperationType.MUTATION:
            return serially([(field.key, self._field(field)) for field in fields])
        return self._selection(fields)

    def _selection(self, fields: Sequence[SelectedField]) -> Field:
        plain = [field for field in fields if self._projector.is_plain_field(field)]
        unread = set(map(id, fields)) - set(map(id, plain))
        every = [(field.key, self._field(field)) for field in fields]
        with_resolver = [every[place] for place, field in enumerate(fields) if id(field) in unread]
        return concurrently(self._projector.attributes(fields, plain), with_resolver, every)

    def _field(self, field: SelectedField) -> Field:
        if self._projector.is_plain_field(field):
            return interpreted(field)
        type_ = field.definition.type
        settle = settled(self._complete(type_, field), type_, field.details)
        return resolved(field, caller(field, self._schema), settle)

    def _complete(self, type_: GraphQLOutputType, field: SelectedField) -> Complete:
        if self._projector.is_plain(type_, field.details):
            return projected(self._projector.value(type_, field.details), delegated(type_, field))
        if is_non_null_type(type_):
            return required(self._complete(type_.of_type, field), field)
        otherwise = delegated(type_, field)
        if is_list_type(type_):
            member = type_.of_type
            return listed(settled(self._complete(member, field), member, field.details), otherwise)
        return self._object(type_, field, otherwise)

    def _object(self, type_: Any, field: SelectedField, otherwise: Complete) -> Complete:
        schema = self._collector.schema
        if is_object_type(type_):
            variants: dict[type, GraphQLObjectType] = dict.fromkeys(classes_of(type_), type_)
        else:
            assert is_abstract_type(type_)
            variants = variants_of(schema, type_)
        selections: dict[str, Callable[..., Any]] = {
            each.name: self._selection(self._collector.below(each, field.details)) for each in variants.values()
        }
        uncertain = not is_object_type(type_) or type_.is_type_of is not None
        return one_of({cls: selections[each.name] for cls, each in variants.items()}, uncertain, otherwise)
