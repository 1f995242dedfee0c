"""What a document selects below a field, known before the field is resolved.

A reading of a board answers everything that is asked of it at once. For that its resolver has to look ahead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionNode,
    get_named_type,
)
from graphql.execution.values import VariableValues, get_argument_values, get_directive_values

from app.domain.boards.board import Board, Page
from app.domain.boards.views import View
from app.domain.errors import BadUserInput
from app.resolvers.arguments import Info
from app.schema.boards.standings import VIEWS

Selected = tuple[str, dict[str, Any]]
"""A field's name and its arguments by their names in the schema."""


def selected_below(info: Info, *path: str) -> list[Selected]:
    """The fields with arguments that are selected below the field of `info`, or further down along `path`.

    A field whose arguments do not fit is left out: executing it tells the client why.
    """
    raw = info._raw_info
    return _Walk(info).fields(get_named_type(raw.return_type), raw.field_nodes, path)


def views_below(info: Info, board: Board, *path: str) -> tuple[View[Page], ...]:
    """The views of `board` that the fields of a Leaderboard need, which is resolved by `info` or found along `path`."""
    if not path and not _may_take_arguments(info):
        return ()
    views: dict[View[Page], None] = {}
    for name, arguments in selected_below(info, *path):
        if name in VIEWS:
            with suppress(BadUserInput):  # The field itself will raise it again, where it belongs.
                views[VIEWS[name](board, arguments)] = None
    return tuple(views)


def _may_take_arguments(info: Info) -> bool:
    """Whether any field right below that of `info` has arguments, as far as a glance tells."""
    raw = info._raw_info
    owner = get_named_type(raw.return_type)
    return any(_has_arguments(owner, node) for node in raw.field_nodes)


@lru_cache(maxsize=256)  # most queries are of a few documents
def _has_arguments(owner: Any, node: FieldNode) -> bool:
    if node.selection_set is None:
        return False
    for child in node.selection_set.selections:
        definition = owner.fields.get(child.name.value) if isinstance(child, FieldNode) else None
        if not isinstance(child, FieldNode) or (definition is not None and definition.args):
            return True
    return False


class _Walk:
    def __init__(self, info: Info) -> None:
        self._info = info

    @property
    def _variables(self) -> VariableValues:
        return VariableValues({}, self._info.variable_values)

    def fields(self, owner: Any, nodes: Sequence[FieldNode], path: Sequence[str]) -> list[Selected]:
        """The selected fields of the object type `owner` below `nodes`."""
        assert isinstance(owner, GraphQLObjectType)
        children = [child for node in nodes if node.selection_set for child in self._children(node, set())]
        if path:
            inner = [child for child in children if child.name.value == path[0]]
            return self.fields(get_named_type(owner.fields[path[0]].type), inner, path[1:]) if inner else []
        found = []
        for child in children:
            definition = owner.fields.get(child.name.value)
            if definition is None or not definition.args:
                continue
            try:
                found.append((child.name.value, get_argument_values(definition, child, self._variables)))
            except GraphQLError:
                continue
        return found

    def _children(self, node: Any, visited: set[str]) -> Iterator[FieldNode]:
        """The field nodes directly below `node`; fragments are looked into."""
        for child in node.selection_set.selections:
            if child.directives and not self._is_included(child):
                continue
            if isinstance(child, FieldNode):
                yield child
            elif isinstance(child, InlineFragmentNode):
                yield from self._children(child, visited)
            elif isinstance(child, FragmentSpreadNode) and child.name.value not in visited:
                visited.add(child.name.value)
                yield from self._children(self._info._raw_info.fragments[child.name.value], visited)

    def _is_included(self, node: SelectionNode) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, node, self._variables)
        include = get_directive_values(GraphQLIncludeDirective, node, self._variables)
        return not (skip and skip["if"]) and not (include and not include["if"])
