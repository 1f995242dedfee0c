"""Facts about what an operation selects, found without executing it. Every walk is linear in the document's size.

The walks here run once per operation, before variables are known, so selections under @skip and @include count. The
field collection of the compiler depends on the values of those; resolvers look ahead at one execution's selection below
a field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


def reads_viewer(field: StrawberryField) -> bool:
    """Return whether the value depends on the viewer: `strawberry.field(metadata={"viewer": True})`."""
    return bool(field.metadata.get(VIEWER))


def is_uncacheable(field: StrawberryField) -> bool:
    """Return whether the field has a resolver that does not name its dependencies.

    A resolver with the metadata `CACHEABLE` adds its dependencies once per execution, see `Dependencies`; otherwise the
    result is not cached.
    """
    return field.base_resolver is not None and not field.metadata.get(CACHEABLE)


class MarkedFields:
    """The fields of a schema with a certain property.

    A field of an interface is one of them as soon as one of its implementations is.
    """

    def __init__(self, schema: GraphQLSchema, has_property: Callable[[StrawberryField], bool]) -> None:
        self._schema = schema
        self._marked = frozenset(self._marks(schema, has_property))

    @staticmethod
    def _marks(schema: GraphQLSchema, has_property: Callable[[StrawberryField], bool]) -> Iterator[tuple[str, str]]:
        for owner in schema.type_map.values():
            if not (is_object_type(owner) or is_interface_type(owner)):
                continue
            for name, field in owner.fields.items():
                definition = field.extensions.get(STRAWBERRY_DEFINITION)
                if isinstance(definition, StrawberryField) and has_property(definition):
                    yield owner.name, name
                    if is_object_type(owner):
                        yield from ((above.name, name) for above in owner.interfaces)

    def is_selected_by(self, document: DocumentNode, definition: OperationDefinitionNode) -> bool:
        """Return whether the operation selects such a field, skipped or not."""
        if not self._marked:
            return False
        fragments = fragments_of(document)
        root = self._schema.get_root_type(definition.operation)
        pending: list[tuple[GraphQLNamedType | None, SelectionSetNode]] = [(root, definition.selection_set)]
        visited: set[str] = set()
        while pending:
            owner, selection_set = pending.pop()
            for node in selection_set.selections:
                if isinstance(node, FieldNode):
                    if owner is None or (owner.name, node.name.value) in self._marked:
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
