"""The state of one execution of a compiled operation."""

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
    """What every field of one execution shares."""

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
        """graphql-core's executor of this very execution.

        It collects the errors and completes every value the compiled code did not expect, so that
        both come out as graphql-core would have them. Most executions never need one.
        """
        graphql_core = self._graphql_core
        if graphql_core is None:
            graphql_core = self._reference_executor.executor(self.operation, self._given, self.context, self.root)
            self._graphql_core = graphql_core
        return graphql_core

    @property
    def errors(self) -> list[Any]:
        """The errors so far, in the order of graphql-core."""
        return self._graphql_core.collected_errors.errors if self._graphql_core is not None else []


class ResolveInfo:
    """graphql-core's resolve info, worked out on demand: resolvers rarely look at more than the context."""

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
        return self._state.context

    @property
    def field_name(self) -> str:
        return self._field.name

    @property
    def field_nodes(self) -> list[FieldNode]:
        return self._field.nodes

    @property
    def return_type(self) -> GraphQLOutputType:
        return self._field.definition.type

    @property
    def parent_type(self) -> GraphQLObjectType:
        return self._field.parent

    @property
    def schema(self) -> GraphQLSchema:
        return self._state.graphql_core.schema

    @property
    def fragments(self) -> dict[str, FragmentDefinitionNode]:
        return fragments_of(self._state.operation.document)

    @property
    def root_value(self) -> Any:
        return self._state.root

    @property
    def operation(self) -> OperationDefinitionNode:
        return self._state.operation.definition

    @property
    def variable_values(self) -> dict[str, Any]:
        return self._state.variables

    @property
    def async_helpers(self) -> Any:
        return self._state.graphql_core.async_helpers
