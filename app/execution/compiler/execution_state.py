"""The state of one execution of a compiled operation, and the info that resolvers get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.pyutils import Path

from app.execution._upstream import Executor, optimized_is_awaitable
from app.execution.compiler.field_collection import SelectedField
from app.execution.documents.selection import fragments_of
from app.execution.reference_executor import ReferenceExecutor

if TYPE_CHECKING:
    from app.execution.documents.operation import Operation


class ExecutionState:
    """The state that all fields of one execution share."""

    __slots__ = ("_given", "_graphql_core", "_reference_executor", "context", "operation", "root", "variables")

    def __init__(
        self,
        reference_executor: ReferenceExecutor,
        operation: Operation,
        given: Mapping[str, Any] | None,
        variables: dict[str, Any],
        context: object,
        root: object = None,
    ) -> None:
        self._reference_executor = reference_executor
        self._given = given
        self._graphql_core: Executor[Any] | None = None
        self.operation = operation
        self.variables = variables
        self.context = context
        self.root = root

    @property
    def graphql_core(self) -> Executor[Any]:
        """Return graphql-core's executor of this execution.

        It collects the errors and completes every value that the compiled code did not expect, so that both are those
        of graphql-core. Most executions never need it.
        """
        graphql_core = self._graphql_core
        if graphql_core is None:
            graphql_core = self._reference_executor.executor(self.operation, self._given, self.context, self.root)
            self._graphql_core = graphql_core
        return graphql_core

    @property
    def errors(self) -> list[Any]:
        """Return the errors so far, in the order of graphql-core."""
        return self._graphql_core.collected_errors.errors if self._graphql_core is not None else []


class ResolveInfo:
    """graphql-core's resolve info, computed on demand: most resolvers use the context only."""

    __slots__ = ("_field", "_state", "path")

    abort_signal = None
    operation_extensions = None
    is_awaitable = staticmethod(optimized_is_awaitable)

    def __init__(self, state: ExecutionState, field: SelectedField, path: Path) -> None:
        self._state = state
        self._field = field
        self.path = path

    @property
    def context(self) -> Any:
        """Return the context of the operation."""
        return self._state.context

    @property
    def field_name(self) -> str:
        """Return the name of the field."""
        return self._field.name

    @property
    def field_nodes(self) -> list[FieldNode]:
        """Return all mentions of the field."""
        return self._field.nodes

    @property
    def return_type(self) -> GraphQLOutputType:
        """Return the type of the field."""
        return self._field.definition.type

    @property
    def parent_type(self) -> GraphQLObjectType:
        """Return the type that the field belongs to."""
        return self._field.parent

    @property
    def schema(self) -> GraphQLSchema:
        """Return the schema."""
        return self._state.graphql_core.schema

    @property
    def fragments(self) -> dict[str, FragmentDefinitionNode]:
        """Return the fragment definitions by name."""
        return fragments_of(self._state.operation.document)

    @property
    def root_value(self) -> Any:
        """Return the root value: the event of a subscription."""
        return self._state.root

    @property
    def operation(self) -> OperationDefinitionNode:
        """Return the definition of the operation."""
        return self._state.operation.definition

    @property
    def variable_values(self) -> dict[str, Any]:
        """Return the coerced variables."""
        return self._state.variables

    @property
    def async_helpers(self) -> Any:
        """Return graphql-core's helpers for asynchronous resolvers."""
        return self._state.graphql_core.async_helpers
