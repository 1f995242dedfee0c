"""Look-ahead: the fields that an operation selects below a field, known before they are resolved.

A board is read once for all fields that show a part of it, so its resolver needs to know what they show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSkipDirective,
    InlineFragmentNode,
    NamedTypeNode,
    SelectionNode,
    get_named_type,
    is_abstract_type,
)
from graphql.execution.values import VariableValues, get_argument_values, get_directive_values

from app.domain.boards.board import Board, Page
from app.domain.boards.board_query import (
    NO_NESTED_VIEWS,
    FieldKey,
    NestedViews,
    StandingsArguments,
    nested_around_view,
    selection_view,
    standings_view,
    viewer_view,
)
from app.domain.boards.views import View
from app.domain.catalogue.catalogue import Category
from app.domain.errors import BadUserInput
from app.resolvers.arguments import Info
from app.schema.arguments import DEFAULT_STANDINGS


class SelectedField(NamedTuple):
    """A field that shows a view: its place in the response, its name, and its arguments as the schema names them."""

    key: FieldKey
    name: str
    arguments: Mapping[str, Any]


def nested_views(info: Info, category: Category, board: Board, *path: str) -> NestedViews:
    """Parse the arguments of all nested fields of `board`, a Leaderboard that `info` resolves or `path` leads to."""
    if not path and not _may_show_views(info):
        return NO_NESTED_VIEWS
    raw = info._raw_info
    fields = _Walk(info).fields(get_named_type(raw.return_type), str(raw.path.key), raw.field_nodes, path)
    return _views(info, category, board, fields)


def views_of_node(info: Info, category: Category, board: Board, key: str) -> NestedViews:
    """Parse the same for a Leaderboard that `info` resolves as a Node, and that has this key in the response."""
    raw = info._raw_info
    return _views(info, category, board, _Walk(info).fields(raw.schema.get_type("Leaderboard"), key, raw.field_nodes))


def _views(info: Info, category: Category, board: Board, fields: Sequence[SelectedField]) -> NestedViews:
    caller = info.context.caller
    scope = _Scope(category, board, None if caller is None else caller.user_id)
    return {field.key: _parse(field, scope) for field in fields}


TOTALS = frozenset({"totalUsers", "totalCount", "usersBelow", "percentile"})
"""The fields below a subscription to boards that depend on the number of users on the whole board."""


def shows_total(info: Info) -> bool:
    """Return whether anything that depends on the number of users is selected, at any depth below the field."""
    return _Walk(info).selects(TOTALS)


class _Scope(NamedTuple):
    """What views depend on besides the arguments of their fields."""

    category: Category
    board: Board
    viewer: UUID | None


def _parse(field: SelectedField, scope: _Scope) -> View[Page] | BadUserInput:
    try:
        return _PARSERS[field.name](scope, field.arguments)
    except BadUserInput as error:  # The field raises it when it is resolved, so that the error is reported there.
        return error


def _parse_standings(scope: _Scope, given: Mapping[str, Any]) -> View[Page]:
    first = given.get("first")
    arguments = StandingsArguments(
        DEFAULT_STANDINGS if first is None else first,
        given.get("after"),
        given.get("last"),
        given.get("before"),
        given.get("atRank"),
        given.get("atScore"),
    )
    return standings_view(scope.category, scope.board, arguments)


_PARSERS: Mapping[str, Callable[[_Scope, Mapping[str, Any]], View[Page]]] = {
    "around": lambda scope, given: nested_around_view(given.get("userId"), given["radius"], scope.viewer),
    "friends": lambda scope, given: selection_view(given["userIds"]),
    "me": lambda scope, given: viewer_view(scope.viewer),
    "standings": _parse_standings,
}
"""The parsers of the arguments of a Leaderboard's fields that show a view. Each may raise BadUserInput."""


def _may_show_views(info: Info) -> bool:
    """Whether a field directly below that of `info` may show a view. Cheap: fragments count without a look."""
    return any(_selects_view(node) for node in info._raw_info.field_nodes)


@lru_cache(maxsize=256)  # Most requests use one of a few documents.
def _selects_view(node: FieldNode) -> bool:
    if node.selection_set is None:
        return False
    return any(
        not isinstance(child, FieldNode) or child.name.value in _PARSERS for child in node.selection_set.selections
    )


class _Walk:
    def __init__(self, info: Info) -> None:
        self._info = info

    @property
    def _variables(self) -> VariableValues:
        return VariableValues({}, self._info.variable_values)

    def fields(
        self, owner: Any, owner_key: str, nodes: Sequence[FieldNode], path: Sequence[str] = ()
    ) -> list[SelectedField]:
        """Return the selected fields of the object type `owner` that show a view; its response key is `owner_key`.

        A field whose arguments do not fit the schema is left out: its execution reports the error.
        """
        assert isinstance(owner, GraphQLObjectType)
        children = [child for node in nodes if node.selection_set for child in self._children(node, set(), owner)]
        if path:
            inner: dict[str, list[FieldNode]] = {}
            for child in children:
                if child.name.value == path[0]:
                    inner.setdefault(_response_key(child), []).append(child)
            type_ = get_named_type(owner.fields[path[0]].type) if inner else None
            return [found for key, same in inner.items() for found in self.fields(type_, key, same, path[1:])]
        found = []
        for child in children:
            if child.name.value not in _PARSERS:
                continue
            try:
                arguments = get_argument_values(owner.fields[child.name.value], child, self._variables)
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

    def _children(self, node: Any, visited: set[str], owner: GraphQLObjectType | None = None) -> Iterator[FieldNode]:
        """Yield the field nodes directly below `node`, also those in fragments; with `owner`, of that type alone."""
        for child in node.selection_set.selections:
            if child.directives and not self._is_included(child):
                continue
            if isinstance(child, FieldNode):
                yield child
            elif isinstance(child, InlineFragmentNode):
                if self._fits(child.type_condition, owner):
                    yield from self._children(child, visited, owner)
            elif isinstance(child, FragmentSpreadNode) and child.name.value not in visited:
                visited.add(child.name.value)
                fragment = self._info._raw_info.fragments[child.name.value]
                if self._fits(fragment.type_condition, owner):
                    yield from self._children(fragment, visited, owner)

    def _fits(self, condition: NamedTypeNode | None, owner: GraphQLObjectType | None) -> bool:
        """Return whether a fragment with this type condition applies to objects of type `owner`."""
        if condition is None or owner is None or condition.name.value == owner.name:
            return True
        schema = self._info._raw_info.schema
        type_ = schema.get_type(condition.name.value)
        return is_abstract_type(type_) and schema.is_sub_type(type_, owner)

    def _is_included(self, node: SelectionNode) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, node, self._variables)
        include = get_directive_values(GraphQLIncludeDirective, node, self._variables)
        return not (skip and skip["if"]) and not (include and not include["if"])


def _response_key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value
