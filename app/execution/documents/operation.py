"""Operations: prepared once and executed many times."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode, OperationType

from app.execution.documents.selection import MarkedFields, conditions, root_nodes
from app.execution.documents.variables import Variables, freeze
from app.execution.limits.lookups import LookupField, OperationLookups


class Operation:
    """A validated operation. Immutable, and the same object for as long as its document is cached."""

    def __init__(
        self,
        query: str,
        schema: GraphQLSchema,
        document: DocumentNode,
        definition: OperationDefinitionNode,
        lookups: Sequence[LookupField],
        *,
        max_list_size: int,
        viewers: MarkedFields,
        uncacheable: MarkedFields,
    ) -> None:
        self.query = query
        self.name = definition.name.value if definition.name else None
        self.kind: OperationType = definition.operation
        self.root_nodes = root_nodes(document, definition)
        self.root_fields = tuple(node.name.value for node in self.root_nodes)
        """Schema names of the root fields, one per response key: aliases repeat them."""
        self.shared = self.kind is not OperationType.MUTATION and not viewers.is_selected_by(document, definition)
        """True when the result is the same for every viewer. Never so for a mutation."""
        self.cacheable = (
            self.kind is OperationType.QUERY and self.shared and not uncacheable.is_selected_by(document, definition)
        )
        """True for a shared query whose resolvers all name their dependencies."""
        self.document = document
        self.definition = definition
        self.variables = Variables(schema, definition, max_list_size)
        self.is_of_cached_body = False
        """Whether a transport has cached the body of a request for this operation, and counted its document."""
        self.series: Any = None
        """What a transport measures of this operation; kept here so that no look-up by labels is needed."""
        self.lookups = OperationLookups(self.root_nodes, lookups)
        self.conditions = conditions(document, definition)
        """The variables in @skip and @include; None when there are other directives."""

    def bind(self, variables: Mapping[str, Any] | None) -> BoundOperation:
        """Return the operation with these variables. Raises RequestError (BAD_USER_INPUT) when one does not fit."""
        return BoundOperation(self, variables, self.variables.coerce(variables))

    def key(self, variables: Mapping[str, Any] | None) -> Hashable:
        """Return `BoundOperation.key`. Raises RequestError (BAD_USER_INPUT) when a variable does not fit."""
        return self.bind(variables).key


class BoundOperation:
    """An operation with the values of its variables. It can be executed any number of times."""

    __slots__ = ("_key", "coerced", "given", "lookups", "operation")

    def __init__(self, operation: Operation, given: Mapping[str, Any] | None, coerced: dict[str, Any]) -> None:
        self.operation = operation
        self.given = given
        self.coerced = coerced
        self.lookups = operation.lookups.count(coerced)
        """The name and the look-ups of each root field, with all that is selected below it."""
        self._key: Hashable = None

    @property
    def key(self) -> Hashable:
        """Return the identity of document, operation and coerced variables.

        Defaults count as given, the order of names does not matter, and variables the operation
        does not declare are left out.
        """
        if self._key is None:
            self._key = self.operation.query, self.operation.name, freeze(self.coerced)
        return self._key
