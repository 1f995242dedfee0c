from __future__ import annotations

from typing import Any

import pytest

from app.execution import Engine, RequestError
from app.execution.documents.variables import freeze

ECHO = "query Q($number: Int = 5, $text: String) { echo(number: $number, text: $text) }"
WINDOW = "query Q($window: Window!) { window(window: $window) }"


def key(engine: Engine, query: str, variables: dict[str, Any] | None) -> Any:
    return engine.prepare(query).key(variables)


def test_a_default_and_the_same_value_given_have_one_key(engine: Engine) -> None:
    assert key(engine, ECHO, None) == key(engine, ECHO, {"number": 5}) == key(engine, ECHO, {})


def test_null_and_absent_have_different_keys(engine: Engine) -> None:
    assert key(engine, ECHO, {"text": None}) != key(engine, ECHO, {})
    assert key(engine, ECHO, {"number": None}) != key(engine, ECHO, {})


def test_the_order_of_variables_and_of_the_fields_of_inputs_does_not_matter(engine: Engine) -> None:
    assert key(engine, ECHO, {"text": "x", "number": 1}) == key(engine, ECHO, {"number": 1, "text": "x"})
    one = key(engine, WINDOW, {"window": {"first": 1, "after": "2"}})
    assert one == key(engine, WINDOW, {"window": {"after": "2", "first": 1}})
    assert one == key(engine, WINDOW, {"window": {"after": "2", "first": 1, "genres": ["NOVEL"]}})
    assert one != key(engine, WINDOW, {"window": {"after": "2", "first": 2}})
    assert hash(one)


def test_undeclared_variables_do_not_matter(engine: Engine) -> None:
    assert key(engine, ECHO, {"other": 1}) == key(engine, ECHO, {})


def test_operations_of_one_document_have_different_keys(engine: Engine) -> None:
    query = "query A { constant } query B { constant }"
    assert engine.prepare(query, "A").key(None) != engine.prepare(query, "B").key(None)


def test_a_bad_variable_is_refused_without_suggestions(engine: Engine) -> None:
    with pytest.raises(RequestError) as caught:
        key(engine, "query Q($genre: Genre!, $n: Int!) { echo(genre: $genre, number: $n) }", {"genre": "NOVELL"})
    (error,) = caught.value.errors
    assert error.extensions == {"code": "BAD_USER_INPUT"}
    assert error.message == "Variable '$genre' has invalid value: Value 'NOVELL' does not exist in 'Genre' enum."


@pytest.mark.parametrize("value", [None, True, 2**31, -(2**31) - 1, "1", 1.5, [[1]]])
def test_a_required_integer_refuses(engine: Engine, value: Any) -> None:
    with pytest.raises(RequestError):
        key(engine, "query Q($n: Int!) { echo(number: $n) }", {"n": value})


@pytest.mark.parametrize("value", [None, True, 2**53, -(2**53), "1", 1.5, [[1]]])
def test_a_required_score_refuses(engine: Engine, value: Any) -> None:
    with pytest.raises(RequestError, match=r"\$s"):
        key(engine, "query Q($s: Score!) { echo(score: $s) }", {"s": value})


@pytest.mark.parametrize(
    ("type_", "given", "coerced"),
    [
        ("Int", 7.0, 7),
        ("Score", 7.0, 7),
        ("Score", 2**53 - 1, 2**53 - 1),
        ("Float", 7, 7.0),
        ("ID", 7, "7"),
        ("[Int]", 7, [7]),
        ("Genre", None, None),
    ],
)
def test_values_that_need_conversion_are_converted(engine: Engine, type_: str, given: Any, coerced: Any) -> None:
    operation = engine.prepare(f"query Q($v: {type_}) {{ scribble(blob: {{v: $v}}) }}")
    value = operation.variables.coerce({"v": given})["v"]
    assert (value, type(value)) == (coerced, type(coerced))


async def test_execution_refuses_bad_variables_too(engine: Engine) -> None:
    with pytest.raises(RequestError) as caught:
        await engine.execute(engine.prepare(ECHO), {"number": "many"}, None)
    assert caught.value.errors[0].extensions == {"code": "BAD_USER_INPUT"}


def test_equal_numbers_of_different_types_are_told_apart() -> None:
    assert len({freeze(value) for value in (1, 1.0, True, "1", None, [1], {"a": 1}, {"a": True})}) == 8


def test_what_cannot_be_hashed_equals_only_itself() -> None:
    strange = bytearray(b"x")
    assert freeze(strange) == freeze(strange)
    assert freeze(strange) != freeze(bytearray(b"x"))
    assert hash(freeze([strange]))
