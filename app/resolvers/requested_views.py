"""Look-ahead: the fields that an operation selects below a field, known before they are resolved.

A board is read once for all fields that show a part of it, so its resolver needs to know what they show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

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
from app.domain.boards.board_query import (
    NO_NESTED_VIEWS,
    FieldKey,
    NestedViews,
    around_view,
    selection_view,
    standings_view,
)
from app.domain.boards.views import View
from app.domain.errors import BadUserInput
from app.resolvers.arguments import Info


class SelectedField(NamedTuple):
    """A field with arguments: its place in the response, its name, and its arguments by their names in the schema."""

    key: FieldKey
    name: str
    arguments: Mapping[str, Any]


def selected_below(info: Info, *path: str) -> list[SelectedField]:
    """Return the fields with arguments below the field of `info`, or below the fields that `path` leads to from there.

    A field whose arguments do not fit the schema is left out: its execution reports the error.
    """
    raw = info._raw_info
    return _Walk(info).fields(get_named_type(raw.return_type), str(raw.path.key), raw.field_nodes, path)


def nested_views(info: Info, board: Board, *path: str) -> NestedViews:
    """Parse the arguments of all nested fields of `board`, a Leaderboard that `info` resolves or `path` leads to."""
    if not path and not _may_take_arguments(info):
        return NO_NESTED_VIEWS
    return {field.key: _parse(field, board) for field in selected_below(info, *path) if field.name in _PARSERS}


TOTALS = frozenset({"totalUsers", "totalCount", "usersBelow", "percentile"})
"""The fields below a subscription to boards that depend on the number of users on the whole board."""


def shows_total(info: Info) -> bool:
    """Return whether anything that depends on the number of users is selected, at any depth below the field."""
    return _Walk(info).selects(TOTALS)


def _parse(field: SelectedField, board: Board) -> View[Page] | BadUserInput:
    try:
        return _PARSERS[field.name](board, field.arguments)
    except BadUserInput as error:  # The field raises it when it is resolved, so that the error is reported there.
        return error


_PARSERS: Mapping[str, Callable[[Board, Mapping[str, Any]], View[Page]]] = {
    "around": lambda board, given: around_view(given["userId"], given["radius"]),
    "friends": lambda board, given: selection_view(given["userIds"]),
    "standings": lambda board, given: standings_view(
        board, given["first"], given.get("after"), given.get("last"), given.get("before")
    ),
}
"""The parsers of the arguments of a Leaderboard's fields. Each may raise BadUserInput."""


def _may_take_arguments(info: Info) -> bool:
    """Whether a field directly below that of `info` may have arguments. Cheap: fragments count without a look."""
    raw = info._raw_info
    owner = get_named_type(raw.return_type)
    return any(_has_arguments(owner, node) for node in raw.field_nodes)


@lru_cache(maxsize=256)  # Most requests use one of a few documents.
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

    def fields(
        self, owner: Any, owner_key: str, nodes: Sequence[FieldNode], path: Sequence[str]
    ) -> list[SelectedField]:
        """Return the selected fields with arguments of the object type `owner`, whose response key is `owner_key`."""
        assert isinstance(owner, GraphQLObjectType)
        children = [child for node in nodes if node.selection_set for child in self._children(node, set())]
        if path:
            inner: dict[str, list[FieldNode]] = {}
            for child in children:
                if child.name.value == path[0]:
                    inner.setdefault(_response_key(child), []).append(child)
            type_ = get_named_type(owner.fields[path[0]].type) if inner else None
            return [found for key, same in inner.items() for found in self.fields(type_, key, same, path[1:])]
        found = []
        for child in children:
            definition = owner.fields.get(child.name.value)
            if definition is None or not definition.args:
                continue
            try:
                arguments = get_argument_values(definition, child, self._variables)
            except GraphQLError:
                continue
            found.append(SelectedField((owner_key, _response_key(child)), child.name.value, arguments))
        return found

    def selects(self, names: frozenset[str]) -> bool:
        """Return whether a field with one of these names is selected below the field of `info`, at any depth."""
        pending: list[FieldNode] = list(self._info._raw_info.field_nodes)
        while pending:
            node = pending.pop()
            if node.selection_set is not None:
                children = list(self._children(node, set()))
                if any(child.name.value in names for child in children):
                    return True
                pending += children
        return False

    def _children(self, node: Any, visited: set[str]) -> Iterator[FieldNode]:
        """Yield the field nodes directly below `node`, also those in fragments."""
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


def _response_key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value
