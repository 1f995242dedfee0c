"""Values that cannot be held are found wherever they are, and named."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import parse_value

from app.execution import Engine, RequestError
from app.execution.limits.storable_values import (
    INTEGER_RULE,
    MAX_INTEGER,
    MAX_NESTING,
    MIN_INTEGER,
    NESTING_RULE,
    NUMBER_RULE,
    STRING_RULE,
    find_literal_problem,
    find_value_problem,
)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("a\0", f": {STRING_RULE}."),
        ("\ud800", f": {STRING_RULE}."),
        ({"a": [1, {"b": "\0"}]}, f" at 'a[1].b': {STRING_RULE}."),
        ({"a": {"\0": 1}}, f" at 'a': {STRING_RULE}."),
        (float("inf"), f": {NUMBER_RULE}."),
        ([float("nan")], f" at '[0]': {NUMBER_RULE}."),
        (10**400, f": {INTEGER_RULE}."),
        (MAX_INTEGER + 1, f": {INTEGER_RULE}."),
        (MIN_INTEGER - 1, f": {INTEGER_RULE}."),
        (nested(MAX_NESTING + 1), f": {NESTING_RULE}."),
        (nested(100_000), f": {NESTING_RULE}."),
    ],
)
def test_a_value_is_refused_with_its_place_and_what_must_be_the_case(value: Any, fault: str) -> None:
    assert find_value_problem(value) == fault


@pytest.mark.parametrize(
    "value", [None, True, 0, MAX_INTEGER, MIN_INTEGER, 1e308, -0.0, "", "\U0010ffff", {"": []}, nested(MAX_NESTING)]
)
def test_what_can_be_held_passes(value: Any) -> None:
    assert find_value_problem(value) is None


@pytest.mark.parametrize(
    ("literal", "fault"),
    [
        (r'"\u0000"', f": {STRING_RULE}."),
        ('"""\0"""', f": {STRING_RULE}."),
        ("{a: [1, {b: 1e999}]}", f" at 'a[1].b': {NUMBER_RULE}."),
        ("-1e999", f": {NUMBER_RULE}."),
        ("9" * 5000, f": {INTEGER_RULE}."),
        (str(MIN_INTEGER - 1), f": {INTEGER_RULE}."),
        ("[" * 65 + "]" * 65, f": {NESTING_RULE}."),
    ],
)
def test_a_literal_is_refused_alike(literal: str, fault: str) -> None:
    assert find_literal_problem(parse_value(literal)) == fault


@pytest.mark.parametrize("literal", [str(MAX_INTEGER), str(MIN_INTEGER), "1e308", '"a"', "ENUM", "null", "{a: [true]}"])
def test_a_literal_that_can_be_held_passes(literal: str) -> None:
    assert find_literal_problem(parse_value(literal)) is None


@pytest.mark.parametrize(
    ("query", "variables", "message"),
    [
        ("query Q($t: String) { echo(text: $t) }", {"t": "\0"}, f"Variable '$t' has an invalid value: {STRING_RULE}."),
        (r'{ echo(text: "\u0000") }', {}, f"Argument 'text' has an invalid value: {STRING_RULE}."),
        (
            r'query Q($t: String = "\u0000") { echo(text: $t) }',
            {},
            f"Variable '$t' has an invalid default: {STRING_RULE}.",
        ),
        (f"{{ echo(number: {'9' * 5000}) }}", {}, f"Argument 'number' has an invalid value: {INTEGER_RULE}."),
    ],
)
def test_a_request_is_refused_by_the_name_of_its_argument(
    engine: Engine, query: str, variables: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError) as caught:
        engine.prepare(query).key(variables)
    (error,) = caught.value.errors
    assert error.message == message
    assert error.extensions == {"code": "BAD_USER_INPUT"}
