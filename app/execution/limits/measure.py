"""What a document amounts to once every fragment is written out where it is spread.

Validation compares fields with one another, and fragments let a few bytes stand for many fields: so it is the
expanded document that is measured. Each fragment is measured once and its measure reused, which keeps the pass
linear in the document however the fragments nest. Nothing depends on the variables of a request.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    Undefined,
    get_named_type,
    get_nullable_type,
    is_interface_type,
    is_list_type,
    is_object_type,
)
from strawberry.types.field import StrawberryField

from app.execution.request_error import TOO_COMPLEX, VALIDATION_FAILED

if TYPE_CHECKING:
    from app.execution.limits.limits import DocumentLimits

SIZE_ARGUMENTS = ("limit", "first", "last", "radius", "userIds")

LONGEST = "longest"
"""The `metadata` of a Strawberry field that is a long list which no argument sizes: how long it may become."""

INTROSPECTION_FIELDS = frozenset({"__schema", "__type"})

# Selection sets and spreads on one path: bounds the recursion of this pass, far below the interpreter's.
DEEPEST_NESTING = 60


class OverLimit(Exception):
    """The document is over a limit; `reason` says which, for the client."""

    def __init__(self, reason: str, code: str = TOO_COMPLEX) -> None:
        self.reason = reason
        self.code = code
        super().__init__(reason)


def at_most(what: str, counted: int, allowed: int) -> None:
    """Raises OverLimit when there are more than `allowed`."""
    if counted > allowed:
        raise OverLimit(f"The document must have at most {allowed} {what}.")


class Measure(NamedTuple):
    """What a selection set, or one selection, amounts to."""

    depth: int = 0
    width: int = 0
    """Fields on its own level."""
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0
    """Fields to resolve, apart from those counted by `listed`."""
    listed: int = 0
    """Fields to resolve per element of the lists whose size a field further up decides."""


NOTHING = Measure()


class Ruler:
    """Measures the operations and fragments of one document."""

    def __init__(self, limits: DocumentLimits, schema: GraphQLSchema, fragments: list[FragmentDefinitionNode]) -> None:
        self._limits = limits
        self._schema = schema
        self._fragments = {fragment.name.value: fragment for fragment in fragments}
        self._measured: dict[str, Measure] = {}

    def operation(self, definition: OperationDefinitionNode) -> Measure:
        """The measure of an operation. Raises OverLimit."""
        root = self._schema.get_root_type(definition.operation)
        measure = self._selection_set(definition.selection_set, root.name if root else None, 0)
        self._check_cost(measure.cost + measure.listed * self._limits.unsized_list)
        at_most("directives", measure.directives + len(definition.directives or ()), self._limits.directives)
        return measure

    def fragment(self, name: str, nesting: int = 0) -> Measure:
        """The measure of a fragment. Unknown and circular ones are nothing: validation refuses them."""
        measure = self._measured.get(name)
        if measure is not None:
            return measure
        definition = self._fragments.get(name)
        if definition is None:
            return NOTHING
        self._measured[name] = NOTHING
        measure = self._selection_set(definition.selection_set, definition.type_condition.name.value, nesting)
        measure = measure._replace(directives=measure.directives + len(definition.directives or ()))
        self._measured[name] = measure
        return measure

    def _selection_set(self, selections: SelectionSetNode, parent: str | None, nesting: int) -> Measure:
        if nesting > DEEPEST_NESTING:
            raise OverLimit(f"The document must be nested at most {self._limits.depth} levels deep.")
        if not selections.selections:
            # Against the grammar, and yet the parser lets it pass.
            raise OverLimit("A selection must not be empty.", VALIDATION_FAILED)
        depth = width = fields = aliases = directives = cost = listed = 0
        for selection in selections.selections:
            part = self._selection(selection, parent, nesting)
            depth = max(depth, part.depth)
            width += part.width
            fields += part.fields
            aliases += part.aliases
            directives += part.directives + len(selection.directives or ())
            cost += part.cost
            listed += part.listed
            # After every addition, so that no number grows as the bombs would have it.
            at_most("fields", fields, self._limits.fields)
            at_most("aliases", aliases, self._limits.aliases)
            at_most("directives", directives, self._limits.directives)
            self._check_cost(cost + listed)
        at_most("levels", depth, self._limits.depth)
        return Measure(depth, width, fields, aliases, directives, cost, listed)

    def _check_cost(self, cost: int) -> None:
        if cost > self._limits.cost:
            raise OverLimit(
                f"The document costs too much: it may resolve {self._limits.cost} fields. Ask for shorter lists."
            )

    def _selection(self, node: SelectionNode, parent: str | None, nesting: int) -> Measure:
        if isinstance(node, FieldNode):
            return self._field(node, parent, nesting)
        if isinstance(node, FragmentSpreadNode):
            return self.fragment(node.name.value, nesting + 1)
        assert isinstance(node, InlineFragmentNode)
        inside = node.type_condition.name.value if node.type_condition else parent
        return self._selection_set(node.selection_set, inside, nesting + 1)

    def _field(self, node: FieldNode, parent: str | None, nesting: int) -> Measure:
        name = node.name.value
        introspects = name in INTROSPECTION_FIELDS
        if introspects and not self._limits.introspection:
            raise OverLimit("Introspection is switched off.", VALIDATION_FAILED)
        aliases = 1 if node.alias else 0
        if node.selection_set is None:
            return Measure(1, 1, 1, aliases, 0, 1)
        field = self._definition(parent, name)
        inner = self._selection_set(node.selection_set, get_named_type(field.type).name if field else None, nesting + 1)
        if introspects or (parent is not None and parent.startswith("__")):
            # What describes the schema has its own shape, and no list that a client could make longer.
            depth, cost, listed = inner.depth, inner.cost + inner.listed, 0
        else:
            depth = inner.depth + 1
            cost, listed = self._repeated(inner, node, field)
        return Measure(depth, 1, inner.fields + 1, inner.aliases + aliases, inner.directives, cost + 1, listed)

    def _definition(self, parent: str | None, name: str) -> GraphQLField | None:
        parent_type = self._schema.get_type(parent) if parent else None
        if is_object_type(parent_type) or is_interface_type(parent_type):
            return self._schema.get_field(parent_type, name)
        return None

    def _repeated(self, inner: Measure, node: FieldNode, field: GraphQLField | None) -> tuple[int, int]:
        """The `cost` and `listed` of what is below a field that may be a list, size the lists below it, or both."""
        size = max(self._sizes(node, field), default=_longest(field)) if field else None
        if field is None or not is_list_type(get_nullable_type(field.type)):
            return (inner.cost, inner.listed) if size is None else (inner.cost + size * inner.listed, 0)
        element = inner.cost + self._limits.unsized_list * inner.listed
        return (0, element) if size is None else (size * element, 0)

    def _sizes(self, node: FieldNode, field: GraphQLField) -> Iterator[int]:
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        values = {name: given.get(name, _default(field.args[name])) for name in SIZE_ARGUMENTS if name in field.args}
        # One that is left out and has no default says nothing where another says something: `last` beside `first`.
        said = {name: value for name, value in values.items() if value is not None and value is not Undefined}
        for name, value in (said or values).items():
            size = _size(value)
            if size is None:
                size = self._limits.list_size
            # A radius reaches to both sides of its centre.
            reach = 2 * size + 1 if name == "radius" else size
            yield min(max(reach, 1), self._limits.list_size)


def _longest(field: GraphQLField) -> int | None:
    definition = field.extensions.get("strawberry-definition")
    return definition.metadata.get(LONGEST) if isinstance(definition, StrawberryField) else None


def _default(argument: GraphQLArgument) -> object:
    """The default value, of whichever way the schema was made: a value or a node."""
    if argument.default is None:
        return argument.default_value
    return argument.default.literal or argument.default.value


def _size(value: object) -> int | None:
    """The number, if it is one and a reasonable one: `int` refuses absurdly many digits. Of a list its length."""
    if isinstance(value, ListValueNode):
        return len(value.values)
    if isinstance(value, IntValueNode):
        return int(value.value) if len(value.value) < 10 else None
    return value if isinstance(value, int) else None
