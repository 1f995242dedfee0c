from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.domain.errors import Forbidden, RateLimited, ServiceUnavailable, Unauthenticated
from app.transport.sockets.close_codes import CloseCode, code_for, reason_for

PAGE = Path(__file__).parents[4] / "docs" / "protocol.md"
FINAL_FOR_GRAPHQL_WS = {1002, 1007, 1009, 1011, 4400, 4401, 4406, 4409, 4429}
"""After these a client built on graphql-ws stays away."""


def test_every_code_is_documented_with_its_name_and_whether_to_come_back() -> None:
    rows = re.findall(r"^\| (\d{4}) \| `(\w+)` \|[^|]+\| (yes|no) \|", PAGE.read_text(), re.MULTILINE)
    assert rows == [(str(int(code)), code.name, "yes" if code.retry else "no") for code in CloseCode]


def test_clients_come_back_by_themselves_exactly_when_they_should() -> None:
    assert {code for code in CloseCode if not code.retry} - {CloseCode.IDLE} <= FINAL_FOR_GRAPHQL_WS
    assert not {code for code in CloseCode if code.retry} & FINAL_FOR_GRAPHQL_WS


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unauthenticated(expired=True), CloseCode.FORBIDDEN),
        (Unauthenticated(), CloseCode.UNAUTHORIZED),
        (Forbidden(), CloseCode.UNAUTHORIZED),
        (RateLimited(5), CloseCode.TRY_AGAIN_LATER),
        (ServiceUnavailable(), CloseCode.TRY_AGAIN_LATER),
        (ValueError("an internal detail"), CloseCode.TRY_AGAIN_LATER),
    ],
)
def test_a_failed_authentication_has_the_code_that_helps_and_tells_nothing_of_the_inside(
    error: Exception, code: CloseCode
) -> None:
    assert code_for(error) is code
    assert "house" not in reason_for(error)
