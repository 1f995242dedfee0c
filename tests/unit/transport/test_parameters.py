import contextlib

import pytest

from app.transport.errors import BadRequest
from app.transport.parameters import Parameters, parameters_of_json, parameters_of_query_string


def test_all_parameters_are_read():
    body = b'{"query":"{a}","operationName":"A","variables":{"x":1},"extensions":{"y":2},"documentId":"d","more":0}'
    assert parameters_of_json(body) == Parameters("{a}", "A", {"x": 1}, {"y": 2}, "d")


def test_null_means_absent():
    body = b'{"query":"{a}","operationName":null,"variables":null,"extensions":null,"documentId":null}'
    assert parameters_of_json(body) == Parameters("{a}")


def test_a_byte_order_mark_is_ignored():
    assert parameters_of_json(b'\xef\xbb\xbf{"query":"{a}"}').query == "{a}"


def test_a_name_may_return_inside_another_value():
    body = b'{"query":"{a}","variables":{"query":"b","variables":{"query":1}},"extensions":{"x":"\\u00e9"}}'
    assert parameters_of_json(body).variables == {"query": "b", "variables": {"query": 1}}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "must not be empty"),
        (b" ", "must be valid JSON"),
        (b"{", "must be valid JSON"),
        (b'{"query":"{a}"', "must be valid JSON"),
        (b'{"query":"{a}"} x', "must be valid JSON"),
        (b"{'query':'{a}'}", "must be valid JSON"),
        (b'{"query":"{a}","variables":{"x":NaN}}', "must be valid JSON"),
        (b'{"query":"{a}","variables":{"x":Infinity}}', "must be valid JSON"),
        (b'{"query":"\xff"}', "must be valid JSON"),
        (b'{"query":"\\ud800"}', "must be valid JSON"),
        (b'{"query":"a\nb"}', "must be valid JSON"),
        ('{"query":"{a}"}'.encode("utf-16"), "must be valid JSON"),
        (b"\xef\xbb\xbf" * 20_000 + b"{}", "must be valid JSON"),
        (b"\xef\xbb\xbf", "must not be empty"),
        (b"[" * 60_000, "must be valid JSON"),
        (b'{"a":' * 20_000, "must be valid JSON"),
        (b'[{"query":"{a}"}]', "Batching"),
        (b"[]", "Batching"),
        (b"null", "JSON object"),
        (b"1", "JSON object"),
        (b'"{a}"', "JSON object"),
        (b'{"query":1}', "'query'"),
        (b'{"query":["{a}"]}', "'query'"),
        (b'{"query":"{a}","operationName":0}', "'operationName'"),
        (b'{"query":"{a}","variables":[]}', "'variables'"),
        (b'{"query":"{a}","variables":"{}"}', "'variables'"),
        (b'{"query":"{a}","extensions":false}', "'extensions'"),
        (b'{"documentId":7}', "'documentId'"),
        (b'{"query":"{a}","query":"{b}"}', "must not repeat"),
        (b'{"query":"{a}","\\u0071uery":"{b}"}', "must not repeat"),
        (b'{"query":"{a}","variables":{},"variables":{"x":1}}', "must not repeat"),
    ],
)
def test_what_is_no_graphql_request_is_refused_with_a_reason(body: bytes, reason: str):
    with pytest.raises(BadRequest, match=reason) as caught:
        parameters_of_json(body)
    assert caught.value.status == 400


@pytest.mark.parametrize("depth", [10, 900, 1000, 1100, 5000])
def test_however_deep_a_body_is_it_is_read_or_refused(depth: int):
    body = b'{"variables":' + b'{"a":' * depth + b'"\\u0041"' + b"}" * depth + b"}"
    with contextlib.suppress(BadRequest):
        assert parameters_of_json(body).query is None


def test_a_query_string_carries_its_objects_as_json():
    raw = b"query=%7Ba%7D&operationName=A&variables=%7B%22x%22%3A1%7D&extensions=%7B%7D&documentId=d&other=1"
    assert parameters_of_query_string(raw) == Parameters("{a}", "A", {"x": 1}, {}, "d")


def test_empty_values_of_a_query_string_count_as_absent():
    assert parameters_of_query_string(b"query=%7Ba%7D&operationName=&variables=&extensions=") == Parameters("{a}")
    assert parameters_of_query_string(b"") == Parameters()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"query=%ff", "UTF-8"),
        (b"query=\xff", "UTF-8"),
        (b"query=%7Ba%7D&query=%7Bb%7D", "must not repeat"),
        (b"query=%7Ba%7D&variables=%7B", "'variables' must be valid JSON"),
        (b"query=%7Ba%7D&variables=NaN", "'variables' must be valid JSON"),
        (b"query=%7Ba%7D&variables=[]", "'variables' must be an object"),
        (b"query=%7Ba%7D&extensions=1", "'extensions' must be an object"),
        (b"&".join(b"a%d=1" % n for n in range(100)), "too many"),
    ],
)
def test_a_bad_query_string_is_refused_with_a_reason(raw: bytes, reason: str):
    with pytest.raises(BadRequest, match=reason) as caught:
        parameters_of_query_string(raw)
    assert caught.value.status == 400
