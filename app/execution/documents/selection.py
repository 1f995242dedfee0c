"""Facts about what an operation selects, found without executing it. Every walk is linear in the document's size.

The walks here run once per operation, before variables are known, so selections under @skip and @include count. The
field collection of the compiler depends on the values of those; resolvers look ahead at one execution's selection below
a field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    Node,
    NonNullTypeNode,
    NullValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
    is_interface_type,
    is_object_type,
)
from strawberry.types.field import StrawberryField

from app.execution._upstream import STRAWBERRY_DEFINITION

VIEWER = "viewer"
CACHEABLE = "cacheable"

Fragments = dict[str, FragmentDefinitionNode]


def fragments_of(document: DocumentNode) -> Fragments:
    """Return the fragment definitions of a document by name."""
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def root_nodes(document: DocumentNode, definition: OperationDefinitionNode) -> tuple[FieldNode, ...]:
    """Return the first node of each response key of the root, in the order of the document.

    Fields under @skip or @include count: whether they run is known only with the variables.
    """
    fragments = fragments_of(document)
    nodes: dict[str, FieldNode] = {}
    visited: set[str] = set()
    walks = [iter(definition.selection_set.selections)]
    while walks:
        node = next(walks[-1], None)
        if node is None:
            walks.pop()
        elif isinstance(node, FieldNode):
            nodes.setdefault((node.alias or node.name).value, node)
        elif isinstance(node, InlineFragmentNode):
            walks.append(iter(node.selection_set.selections))
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
            visited.add(node.name.value)
            walks.append(iter(fragments[node.name.value].selection_set.selections))
    return tuple(nodes.values())


def conditions(document: DocumentNode, definition: OperationDefinitionNode) -> tuple[str, ...] | None:
    """Return the names of the variables in @skip and @include, or None when there are other directives."""
    fragments = fragments_of(document)
    names: dict[str, None] = {}
    visited: set[str] = set()
    pending: list[Node] = [definition]
    while pending:
        node: Any = pending.pop()
        for directive in node.directives or ():
            if directive.name.value not in ("skip", "include"):
                return None
            variables = (argument.value for argument in directive.arguments)
            names.update((node.name.value, None) for node in variables if isinstance(node, VariableNode))
        if isinstance(node, FragmentSpreadNode):
            if node.name.value not in visited:
                visited.add(node.name.value)
                pending.append(fragments[node.name.value])
        elif node.selection_set is not None:
            pending += node.selection_set.selections
    return tuple(names)


Mark = bool | str
"""Whether a field has a property; the name of an argument stands for: unless a value is given for it."""


def reads_viewer(field: StrawberryField) -> Mark:
    """Return whether the value depends on the viewer: `strawberry.field(metadata={"viewer": True})`.

    With the name of an argument in place of True it does so unless that argument is given.
    """
    mark: Mark = field.metadata.get(VIEWER, False)
    return mark


def is_uncacheable(field: StrawberryField) -> Mark:
    """Return whether the field has a resolver that does not name its dependencies.

    A resolver with the metadata `CACHEABLE` adds its dependencies once per execution, see `Dependencies`; otherwise the
    result is not cached.
    """
    return field.base_resolver is not None and not field.metadata.get(CACHEABLE)


def _is_given(node: FieldNode, argument: str, never_null: Collection[str]) -> bool:
    """Return whether an argument certainly has a value that is not null: whatever the variables are."""
    for given in node.arguments or ():
        if given.name.value == argument:
            value = given.value
            return (
                value.name.value in never_null
                if isinstance(value, VariableNode)
                else not isinstance(value, NullValueNode)
            )
    return False


class MarkedFields:
    """The fields of a schema with a certain property.

    A field of an interface is one of them as soon as one of its implementations is.
    """

    def __init__(self, schema: GraphQLSchema, mark_of: Callable[[StrawberryField], Mark]) -> None:
        self._schema = schema
        self._marked = dict(self._marks(schema, mark_of))

    @staticmethod
    def _marks(
        schema: GraphQLSchema, mark_of: Callable[[StrawberryField], Mark]
    ) -> Iterator[tuple[tuple[str, str], Mark]]:
        for owner in schema.type_map.values():
            if not (is_object_type(owner) or is_interface_type(owner)):
                continue
            for name, field in owner.fields.items():
                definition = field.extensions.get(STRAWBERRY_DEFINITION)
                mark = mark_of(definition) if isinstance(definition, StrawberryField) else False
                if mark:
                    yield (owner.name, name), mark
                    if is_object_type(owner):
                        yield from (((above.name, name), mark) for above in owner.interfaces)

    def is_selected_by(self, document: DocumentNode, definition: OperationDefinitionNode) -> bool:
        """Return whether the operation selects such a field, skipped or not."""
        if not self._marked:
            return False
        fragments = fragments_of(document)
        never_null = {
            variable.variable.name.value
            for variable in definition.variable_definitions or ()
            if isinstance(variable.type, NonNullTypeNode)
        }
        root = self._schema.get_root_type(definition.operation)
        pending: list[tuple[GraphQLNamedType | None, SelectionSetNode]] = [(root, definition.selection_set)]
        visited: set[str] = set()
        while pending:
            owner, selection_set = pending.pop()
            for node in selection_set.selections:
                if isinstance(node, FieldNode):
                    if owner is None:
                        return True
                    mark = self._marked.get((owner.name, node.name.value), False)
                    if mark is True or (mark and not _is_given(node, mark, never_null)):
                        return True
                    if node.selection_set is not None:
                        pending.append((self._type_of(owner, node.name.value), node.selection_set))
                elif isinstance(node, InlineFragmentNode):
                    condition = node.type_condition
                    narrowed = self._schema.get_type(condition.name.value) if condition else owner
                    pending.append((narrowed, node.selection_set))
                elif isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
                    visited.add(node.name.value)
                    fragment = fragments[node.name.value]
                    narrowed = self._schema.get_type(fragment.type_condition.name.value)
                    pending.append((narrowed, fragment.selection_set))
        return False

    def _type_of(self, owner: GraphQLNamedType, name: str) -> GraphQLNamedType | None:
        assert isinstance(owner, GraphQLObjectType) or is_abstract_type(owner)
        field = self._schema.get_field(owner, name)
        return get_named_type(field.type) if field else None
