"""The fields that an operation selects on each type, for given values of @skip and @include."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
)
from strawberry.types.field import StrawberryField

from app.execution._upstream import (
    STRAWBERRY_DEFINITION,
    FieldDetailsList,
    FragmentDetails,
    VariableValues,
    collect_fields,
    collect_subfields,
)
from app.execution.documents.selection import fragments_of

# A plan with more fields would take longer to compile than it could save.
MAX_FIELDS = 2000


class UnsupportedSelection(Exception):
    """The operation has a feature that the compiler does not support; graphql-core executes it instead."""


@dataclass(frozen=True, slots=True, eq=False)
class SelectedField:
    """One response key of one selection set on one object type."""

    parent: GraphQLObjectType
    key: str
    definition: GraphQLField
    details: FieldDetailsList
    """Every mention of the field that merges into this key, as graphql-core collects them."""

    @property
    def node(self) -> FieldNode:
        """Return the first mention; its arguments are those of all."""
        return self.details[0].node

    @property
    def nodes(self) -> list[FieldNode]:
        """Return all mentions, for the locations of errors."""
        return [detail.node for detail in self.details]

    @property
    def name(self) -> str:
        """Return the name of the field."""
        return self.node.name.value

    @property
    def strawberry(self) -> StrawberryField | None:
        """Return Strawberry's definition of the field, or None for a field of graphql-core itself."""
        definition = self.definition.extensions.get(STRAWBERRY_DEFINITION)
        return definition if isinstance(definition, StrawberryField) else None


class FieldCollector:
    """Collects fields with graphql-core's own algorithm, so that merging and conditions agree with it."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        definition: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self.schema = schema
        self._operation = definition
        self._values = VariableValues({}, dict(variables))
        self._fragments = {name: FragmentDetails(fragment) for name, fragment in fragments_of(document).items()}
        self._collected: dict[tuple[str, int], list[SelectedField]] = {}
        self.fields = 0
        """How many fields were collected so far."""

    def root(self, root: GraphQLObjectType) -> list[SelectedField]:
        """Return the root fields. Raises Unsupported when a condition cannot be evaluated."""
        try:
            collected = collect_fields(self.schema, self._fragments, self._values, root, self._operation)
        except GraphQLError as error:
            raise UnsupportedSelection from error
        return self._selected(root, collected.grouped_field_set)

    def subfields(self, parent: GraphQLObjectType, details: FieldDetailsList) -> list[SelectedField]:
        """Return the fields selected on a value of type `parent` of the field with these details."""
        key = (parent.name, id(details))
        if key not in self._collected:
            try:
                collected = collect_subfields(
                    self.schema, self._fragments, self._values, self._operation, parent, details
                )
            except GraphQLError as error:
                raise UnsupportedSelection from error
            self._collected[key] = self._selected(parent, collected.grouped_field_set)
        return self._collected[key]

    def _selected(self, parent: GraphQLObjectType, grouped: Mapping[str, FieldDetailsList]) -> list[SelectedField]:
        self.fields += len(grouped)
        if self.fields > MAX_FIELDS:
            raise UnsupportedSelection("too many fields")
        selected = []
        for key, details in grouped.items():
            name = details[0].node.name.value
            definition = self.schema.get_field(parent, name)
            if definition is None or name in ("__schema", "__type"):
                raise UnsupportedSelection(name)
            selected.append(SelectedField(parent, key, definition, details))
        return selected
