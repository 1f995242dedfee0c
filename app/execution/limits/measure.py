"""The measuring of a document, with every fragment written out where it is spread, before it is validated.

Validation compares fields with one another, and fragments let a few bytes stand for many fields, so the expanded
document is measured. Each fragment is measured once and its measure is reused, which keeps the pass linear in the
document however the fragments nest. The pass does not depend on the variables of a request: for the look-ups, which
do, it collects the fields that make them, and `app.execution.limits.lookups` counts when the variables are known.

This is a walk of its own: it runs before validation, on documents in which fields, types and fragments may not exist or
may be circular, where the walks of `app.execution.documents.selection` and graphql-core's field collection rely on
validation. A shared walk would have to be as tolerant as this one everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from graphql import (
    DocumentNode,
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

from app.execution._upstream import STRAWBERRY_DEFINITION
from app.execution.limits.limits import DocumentLimits
from app.execution.limits.lookups import LookupField, count_lookups_of
from app.execution.request_error import BAD_USER_INPUT, TOO_COMPLEX, VALIDATION_FAILED

SIZE_ARGUMENTS = ("limit", "first", "last", "radius", "userIds", "ids")

MAX_LENGTH_METADATA = "longest"
"""The `metadata` key of a Strawberry field that is a list which no argument sizes: its maximum length."""

INTROSPECTION_FIELDS = frozenset({"__schema", "__type"})

# The most selection sets and spreads on one path. It bounds the recursion of this pass, far below the interpreter's.
MAX_NESTING = 60


LookupFields = Mapping[str | None, tuple[LookupField, ...]]
"""The fields that make look-ups, by the name of their operation."""


def measure_document(
    schema: GraphQLSchema, document: DocumentNode, query_length: int, limits: DocumentLimits
) -> LookupFields:
    """Check a parsed document against all limits, and return the fields of its operations that make look-ups.

    Documents that are invalid in other ways are measured as far as they can be understood, and left to validation.

    Args:
        schema: The schema that the document is for.
        document: The parsed document.
        query_length: The length of the document's text in characters.
        limits: The limits to check.

    Raises:
        LimitExceeded: The document exceeds a limit (QUERY_TOO_COMPLEX), has an argument with an overlong list
            (BAD_USER_INPUT), or selects introspection where it is switched off (GRAPHQL_VALIDATION_FAILED).
    """
    check_limit("characters", query_length, limits.max_length)
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    fragments = [node for node in document.definitions if isinstance(node, FragmentDefinitionNode)]
    check_limit("operations", len(operations), limits.max_operations)
    check_limit("fragments", len(fragments), limits.max_fragments)
    check_limit("definitions", len(document.definitions), limits.max_operations + limits.max_fragments)
    measurer = DocumentMeasurer(limits, schema, fragments)
    # Validation looks at every operation and every fragment, whether it will be executed or not.
    fields = 0
    lookups: dict[str | None, tuple[LookupField, ...]] = {}
    for operation in operations:
        check_limit("variables", len(operation.variable_definitions or ()), limits.max_variables)
        measure = measurer.operation(operation)
        check_limit("root fields", measure.width, limits.max_root_fields)
        fields += measure.fields
        lookups[operation.name.value if operation.name else None] = measure.lookups
    for fragment in fragments:
        measurer.fragment(fragment.name.value)
    check_limit("fields", fields, limits.max_fields)
    return lookups


class LimitExceeded(Exception):
    """The document exceeds a limit; `reason` says which, for the client."""

    def __init__(self, reason: str, code: str = TOO_COMPLEX) -> None:
        self.reason = reason
        self.code = code
        super().__init__(reason)


def check_limit(what: str, counted: int, allowed: int) -> None:
    """Raise LimitExceeded when there are more than `allowed`."""
    if counted > allowed:
        raise LimitExceeded(f"The document must have at most {allowed} {what}.")


class Measure(NamedTuple):
    """The size of a selection set, or of one selection."""

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
    lookups: tuple[LookupField, ...] = ()
    """The fields that make look-ups, each once: fields with the same response key are executed as one."""


EMPTY_MEASURE = Measure()


class DocumentMeasurer:
    """Measures the operations and fragments of one document."""

    def __init__(self, limits: DocumentLimits, schema: GraphQLSchema, fragments: list[FragmentDefinitionNode]) -> None:
        self._limits = limits
        self._schema = schema
        self._fragments = {fragment.name.value: fragment for fragment in fragments}
        self._measured: dict[str, Measure] = {}

    def operation(self, definition: OperationDefinitionNode) -> Measure:
        """Measure an operation. Raises LimitExceeded."""
        root = self._schema.get_root_type(definition.operation)
        measure = self._selection_set(definition.selection_set, root.name if root else None, 0)
        self._check_cost(measure.cost + measure.listed * self._limits.unsized_list)
        check_limit("directives", measure.directives + len(definition.directives or ()), self._limits.max_directives)
        return measure

    def fragment(self, name: str, nesting: int = 0) -> Measure:
        """Measure a fragment. Unknown and circular ones are empty: validation refuses them."""
        measure = self._measured.get(name)
        if measure is not None:
            return measure
        definition = self._fragments.get(name)
        if definition is None:
            return EMPTY_MEASURE
        self._measured[name] = EMPTY_MEASURE
        measure = self._selection_set(definition.selection_set, definition.type_condition.name.value, nesting)
        measure = measure._replace(directives=measure.directives + len(definition.directives or ()))
        self._measured[name] = measure
        return measure

    def _selection_set(self, selections: SelectionSetNode, parent: str | None, nesting: int) -> Measure:
        if nesting > MAX_NESTING:
            raise LimitExceeded(f"The document must be nested at most {self._limits.max_depth} levels deep.")
        if not selections.selections:
            # Against the grammar, and yet the parser lets it pass.
            raise LimitExceeded("A selection must not be empty.", VALIDATION_FAILED)
        depth = width = fields = aliases = directives = cost = listed = 0
        lookups: dict[LookupField, None] = {}
        for selection in selections.selections:
            part = self._selection(selection, parent, nesting)
            depth = max(depth, part.depth)
            width += part.width
            fields += part.fields
            aliases += part.aliases
            directives += part.directives + len(selection.directives or ())
            cost += part.cost
            listed += part.listed
            if part.lookups:
                lookups.update(dict.fromkeys(part.lookups))
            # Checked after every addition, so that nested fragments cannot make the numbers grow without bound.
            check_limit("fields", fields, self._limits.max_fields)
            check_limit("aliases", aliases, self._limits.max_aliases)
            check_limit("directives", directives, self._limits.max_directives)
            self._check_cost(cost + listed)
        check_limit("levels", depth, self._limits.max_depth)
        return Measure(depth, width, fields, aliases, directives, cost, listed, tuple(lookups))

    def _check_cost(self, cost: int) -> None:
        if cost > self._limits.max_cost:
            raise LimitExceeded(
                f"The document costs too much: it may resolve {self._limits.max_cost} fields. Ask for shorter lists."
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
            raise LimitExceeded("Introspection is switched off.", VALIDATION_FAILED)
        aliases = 1 if node.alias else 0
        field = self._definition(parent, name)
        self._check_list_arguments(node)
        if node.selection_set is None:
            return Measure(1, 1, 1, aliases, 0, 1, lookups=_lookups(node, field, ()))
        inner = self._selection_set(node.selection_set, get_named_type(field.type).name if field else None, nesting + 1)
        if introspects or (parent is not None and parent.startswith("__")):
            # Introspection has its own nesting, and no list that a client could make longer.
            depth, cost, listed = inner.depth, inner.cost + inner.listed, 0
        else:
            depth = inner.depth + 1
            cost, listed = self._repeated(inner, node, field)
        lookups = _lookups(node, field, inner.lookups)
        return Measure(depth, 1, inner.fields + 1, inner.aliases + aliases, inner.directives, cost + 1, listed, lookups)

    def _check_list_arguments(self, node: FieldNode) -> None:
        """Raise LimitExceeded for an argument that is a list with too many items, before any item is looked at."""
        for argument in node.arguments or ():
            if isinstance(argument.value, ListValueNode) and len(argument.value.values) > self._limits.max_list_size:
                raise LimitExceeded(
                    f"`{argument.name.value}` must have at most {self._limits.max_list_size} items.", BAD_USER_INPUT
                )

    def _definition(self, parent: str | None, name: str) -> GraphQLField | None:
        parent_type = self._schema.get_type(parent) if parent else None
        if is_object_type(parent_type) or is_interface_type(parent_type):
            return self._schema.get_field(parent_type, name)
        return None

    def _repeated(self, inner: Measure, node: FieldNode, field: GraphQLField | None) -> tuple[int, int]:
        """Return `cost` and `listed` of the selection below a field.

        The field may be a list, size the lists below it, or both.
        """
        size = max(self._sizes(node, field), default=_declared_max_length(field)) if field else None
        if field is None or not is_list_type(get_nullable_type(field.type)):
            return (inner.cost, inner.listed) if size is None else (inner.cost + size * inner.listed, 0)
        element = inner.cost + self._limits.unsized_list * inner.listed
        return (0, element) if size is None else (size * element, 0)

    def _sizes(self, node: FieldNode, field: GraphQLField) -> Iterator[int]:
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        values = {name: given.get(name, _default(field.args[name])) for name in SIZE_ARGUMENTS if name in field.args}
        # An argument without value and default does not count if another has one: `last` next to `first`.
        with_value = {name: value for name, value in values.items() if value is not None and value is not Undefined}
        for name, value in (with_value or values).items():
            size = _size(value)
            if size is None:
                size = self._limits.max_list_size
            # A radius reaches to both sides of its centre.
            reach = 2 * size + 1 if name == "radius" else size
            yield min(max(reach, 1), self._limits.max_list_size)


def _lookups(node: FieldNode, field: GraphQLField | None, inner: tuple[LookupField, ...]) -> tuple[LookupField, ...]:
    """Return the fields that make look-ups: those of the selection, and the field itself if it makes any."""
    count = count_lookups_of(field) if field else None
    if count is None and not inner:
        return ()
    key = (node.alias or node.name).value
    below = tuple(one._replace(path=(key, *one.path)) for one in inner)
    return below if count is None or field is None else (LookupField((key,), field, node), *below)


def _declared_max_length(field: GraphQLField) -> int | None:
    definition = field.extensions.get(STRAWBERRY_DEFINITION)
    return definition.metadata.get(MAX_LENGTH_METADATA) if isinstance(definition, StrawberryField) else None


def _default(argument: GraphQLArgument) -> object:
    """Return the default value: a Python value or a syntax node, depending on how the schema was made."""
    if argument.default is None:
        return argument.default_value
    return argument.default.literal or argument.default.value


def _size(value: object) -> int | None:
    """Return the number if it has fewer than ten digits, and the length of a list; None for all else."""
    if isinstance(value, ListValueNode):
        return len(value.values)
    if isinstance(value, IntValueNode):
        return int(value.value) if len(value.value) < 10 else None
    return value if isinstance(value, int) else None
