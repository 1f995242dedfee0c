"""The check for input values that databases and encoders cannot store, made before execution.

GraphQL allows some of them: a `String` may contain the null character, which PostgreSQL refuses, and a custom scalar
such as `JSON` takes `1e999`, which is infinite, integers of any length and any depth of nesting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isinf, isnan
from typing import Any

from graphql import (
    ArgumentNode,
    ASTValidationRule,
    FloatValueNode,
    GraphQLError,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableDefinitionNode,
)

from app.execution.request_error import BAD_USER_INPUT

MAX_NESTING = 64
MAX_MEMBERS = 2000
"""Items of lists and members of objects that all variables of a request may have together."""

MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**64 - 1
"""The integers that all JSON encoders and decoders of the service share."""

_MAX_DIGITS = len(str(MIN_INTEGER))

NESTING_RULE = f"lists and objects must not be nested more than {MAX_NESTING} levels deep"
NUMBER_RULE = "a number must be finite"
INTEGER_RULE = f"an integer must be between {MIN_INTEGER} and {MAX_INTEGER}"
STRING_RULE = "a string must not contain the null character or an unpaired surrogate"

Members = Iterator[tuple[str, Any]]
Inspect = Callable[[Any], "str | Members | None"]
"""Returns what must be the case when a value cannot be stored; the members of a list or object; None for all others."""


def find_value_problem(value: Any) -> str | None:
    """Return what is wrong with a decoded JSON value, and where in it; None when it can be stored."""
    return _search(value, _inspect_value)


def count_members(value: Any, maximum: int) -> int:
    """Count the items and members of a decoded JSON value at any depth, and stop soon after `maximum`.

    The length of a list or an object is known without a look at its items, so the count is cheap for any value.
    """
    counted = 0
    pending = [value]
    while pending and counted <= maximum:
        container = pending.pop()
        if isinstance(container, dict | list):
            counted += len(container)
            if counted <= maximum:
                pending += container.values() if isinstance(container, dict) else container
    return counted


def find_literal_problem(node: ValueNode) -> str | None:
    """Return what is wrong with a value in a document, and where in it; None when it can be stored."""
    return _search(node, _inspect_literal)


class StorableLiterals(ASTValidationRule):
    """Refuses documents in which an argument or a default cannot be stored. Put it before rules that convert values."""

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        """Check the value of an argument."""
        if fault := find_literal_problem(node.value):
            self._refuse(f"Argument '{node.name.value}' has an invalid value", fault, node)

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> None:
        """Check the default of a variable."""
        if node.default_value is not None and (fault := find_literal_problem(node.default_value)):
            self._refuse(f"Variable '${node.variable.name.value}' has an invalid default", fault, node)

    def _refuse(self, what: str, fault: str, node: ArgumentNode | VariableDefinitionNode) -> None:
        self.report_error(GraphQLError(f"{what}{fault}", node, extensions={"code": BAD_USER_INPUT}))


def _search(root: Any, inspect: Inspect) -> str | None:
    """Inspect every value, without recursion, which deeply nested values would exhaust."""
    pending: list[tuple[str, int, Any]] = [("", 0, root)]
    while pending:
        path, depth, value = pending.pop()
        found = inspect(value)
        if found is None:
            continue
        if not isinstance(found, str):
            if depth < MAX_NESTING:
                pending += ((path + step, depth + 1, member) for step, member in found)
                continue
            path, found = "", NESTING_RULE
        return f" at '{path.removeprefix('.')}': {found}." if path else f": {found}."
    return None


def _inspect_value(value: Any) -> str | Members | None:
    if isinstance(value, str):
        return None if _is_text(value) else STRING_RULE
    if isinstance(value, float):
        return NUMBER_RULE if isinf(value) or isnan(value) else None
    if isinstance(value, int):
        return None if MIN_INTEGER <= value <= MAX_INTEGER else INTEGER_RULE
    if isinstance(value, dict):
        return _members(value) if all(map(_is_text, value)) else STRING_RULE
    if isinstance(value, list):
        return ((f"[{index}]", member) for index, member in enumerate(value))
    return None


def _members(value: dict[str, Any]) -> Members:
    return ((f".{name}", member) for name, member in value.items())


def _inspect_literal(node: ValueNode) -> str | Members | None:
    if isinstance(node, StringValueNode):
        return None if _is_text(node.value) else STRING_RULE
    if isinstance(node, FloatValueNode):
        return NUMBER_RULE if isinf(float(node.value)) else None
    if isinstance(node, IntValueNode):
        # Python refuses to convert more than 4300 digits.
        fits = len(node.value) <= _MAX_DIGITS and MIN_INTEGER <= int(node.value) <= MAX_INTEGER
        return None if fits else INTEGER_RULE
    if isinstance(node, ObjectValueNode):
        return ((f".{field.name.value}", field.value) for field in node.fields)
    if isinstance(node, ListValueNode):
        return ((f"[{index}]", member) for index, member in enumerate(node.values))
    return None


def _is_text(value: str) -> bool:
    if "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
