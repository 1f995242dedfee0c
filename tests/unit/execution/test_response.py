from __future__ import annotations

import pytest
from graphql import GraphQLError

from app.execution import Engine, RequestError, Response
from tests.unit.execution.library import schema


def test_data_and_errors_are_encoded_in_this_order(engine: Engine) -> None:
    response = Response({"a": [1, None, "ü"]}, [GraphQLError("no", path=["a", 0])])
    assert engine.encode(response) == '{"data":{"a":[1,null,"ü"]},"errors":[{"message":"no","path":["a",0]}]}'.encode()


def test_null_data_is_told_and_absent_data_is_not(engine: Engine) -> None:
    assert engine.encode(Response(None, [GraphQLError("x")])) == b'{"data":null,"errors":[{"message":"x"}]}'
    refused = Response.of(RequestError([GraphQLError("x"), GraphQLError("y")]))
    assert engine.encode(refused) == b'{"errors":[{"message":"x"}]}'


def test_errors_are_formatted_by_the_owner_of_the_engine() -> None:
    engine = Engine(schema, format_error=lambda error: {"message": "masked", "extensions": {"code": "X"}})
    assert engine.encode(Response({}, [GraphQLError("secret")])) == (
        b'{"data":{},"errors":[{"message":"masked","extensions":{"code":"X"}}]}'
    )


def test_what_only_the_standard_library_can_encode_is_encoded(engine: Engine) -> None:
    assert engine.encode(Response({"a": 2**70, "b": "\ud800", "c": {1: 2}})) == (
        b'{"data":{"a":1180591620717411303424,"b":"\\ud800","c":{"1":2}}}'
    )
    with pytest.raises(TypeError):
        engine.encode(Response({"a": object()}))
