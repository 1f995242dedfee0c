"""One list of error codes: the code, the schema and the execution engine use the same names."""

from __future__ import annotations

import ast
from pathlib import Path

from app.error_codes import ErrorCode
from app.execution import request_error
from app.graphql import build_schema

APP = Path(__file__).parents[2] / "app"
OWN_CODES = (APP / "error_codes.py", APP / "execution" / "request_error.py")
"""The files that spell codes out. The execution engine depends on nothing else of the service."""


def test_the_schema_lists_every_code():
    assert set(build_schema()._schema.type_map["ErrorCode"].values) == {code.name for code in ErrorCode}


def test_a_code_is_its_own_name():
    assert [code.value for code in ErrorCode] == [code.name for code in ErrorCode]


def test_the_codes_of_the_execution_engine_are_in_the_list():
    codes = {value for name, value in vars(request_error).items() if name.isupper()}
    assert codes == {
        ErrorCode.GRAPHQL_PARSE_FAILED,
        ErrorCode.GRAPHQL_VALIDATION_FAILED,
        ErrorCode.QUERY_TOO_COMPLEX,
        ErrorCode.BAD_USER_INPUT,
    }


def test_no_other_file_spells_out_a_code_except_the_command_line_which_is_a_client():
    codes = {code.value for code in ErrorCode}
    found = {
        (str(file.relative_to(APP)), node.value)
        for file in APP.rglob("*.py")
        if file not in OWN_CODES and not file.is_relative_to(APP / "cli")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in codes
    }
    assert found == set()
