import pytest

from app.transport.http.csrf import may_be_forged


@pytest.mark.parametrize(
    ("method", "headers", "forged"),
    [
        ("POST", {b"content-type": b"application/json"}, False),
        ("POST", {b"content-type": b"application/json; charset=utf-8"}, False),
        ("GET", {b"content-type": b"application/json"}, False),
        ("POST", {}, True),
        ("GET", {}, True),
        ("GET", {b"accept": b"application/json"}, True),
        ("POST", {b"content-type": b"text/plain"}, True),
        ("POST", {b"content-type": b"TEXT/PLAIN;charset=UTF-8"}, True),
        ("POST", {b"content-type": b" text/plain ;application/json"}, True),
        ("POST", {b"content-type": b"application/x-www-form-urlencoded"}, True),
        ("POST", {b"content-type": b"multipart/form-data; boundary=x"}, True),
        ("POST", {b"content-type": b""}, False),  # a browser asks first for what it cannot parse
        ("POST", {b"content-type": b"nonsense"}, False),
        ("GET", {b"apollo-require-preflight": b"1"}, False),
        ("GET", {b"x-apollo-operation-name": b"Board"}, False),
        ("GET", {b"apollo-require-preflight": b""}, True),
        ("POST", {b"content-type": b"text/plain", b"apollo-require-preflight": b"1"}, False),
    ],
)
def test_a_request_that_needs_no_preflight_is_suspect(method: str, headers: dict[bytes, bytes], forged: bool):
    assert may_be_forged(method, headers) is forged


@pytest.mark.parametrize(
    ("method", "headers", "forged"),
    [
        ("GET", {b"sec-fetch-mode": b"cors"}, False),
        ("HEAD", {b"sec-fetch-mode": b"cors"}, False),
        ("GET", {b"sec-fetch-mode": b"cors", b"origin": b"https://evil.example"}, True),
        ("GET", {b"sec-fetch-mode": b"cors", b"origin": b"null"}, True),
        ("GET", {b"sec-fetch-mode": b"no-cors"}, True),  # an image, a script
        ("GET", {b"sec-fetch-mode": b"navigate"}, True),  # a link, a form, a frame
        ("GET", {b"sec-fetch-mode": b"same-origin"}, True),
        ("POST", {b"sec-fetch-mode": b"cors"}, True),
    ],
)
def test_a_script_of_our_own_origin_may_read_by_plain_get(method: str, headers: dict[bytes, bytes], forged: bool):
    assert may_be_forged(method, headers) is forged
