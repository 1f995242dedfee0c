"""Refusals are logged with their code, without what was sent, and no more often than is bounded."""

from collections import Counter
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.error_codes import SECURITY_EVENTS
from app.telemetry.requests import MAX_LINES, RefusalLog, RequestFacts, current_request, leave_request, log_refusal
from tests.support.runtime import runtime_for


def refusal_log() -> RefusalLog:
    return RefusalLog(runtime_for(monotonic=lambda: 0.0), SECURITY_EVENTS)


def test_each_code_has_lines_of_its_own_however_many_requests_are_refused():
    log = refusal_log()
    with capture_logs() as lines:
        for _ in range(1000):
            log.add("RATE_LIMITED", "Too many requests.")
            log.add("BAD_USER_INPUT", "An argument is not valid.")
    assert Counter((line["code"], line["log_level"]) for line in lines) == {
        ("RATE_LIMITED", "warning"): MAX_LINES,
        ("BAD_USER_INPUT", "info"): MAX_LINES,
    }


@pytest.mark.parametrize(
    "reason",
    [
        "Variable '$limit' got invalid value 'secret'; Int cannot represent non-integer value: 'secret'",
        'Variable "$input" got invalid value {a: "secret"}; Field "b" is not defined',
        'Expected value of type "Int!", found "secret".',
        "Int cannot represent non-integer value: secret",
    ],
)
def test_a_value_that_was_sent_is_not_in_the_log(reason: str):
    with capture_logs() as lines:
        refusal_log().add("BAD_USER_INPUT", reason)
    assert "secret" not in str(lines)
    assert "value" in lines[0]["reason"]


def test_a_refusal_is_that_of_the_current_request_and_names_the_cause_that_clients_are_not_told():
    def logged() -> list[Any]:
        with capture_logs() as lines:
            log_refusal("SERVICE_UNAVAILABLE", "Try again in a moment.", OSError("connection refused"))
        return lines

    assert logged() == []
    current_request.set(RequestFacts("request-1", refusal_log(), address="192.0.2.1"))
    (line,) = logged()
    assert (line["address"], line["cause"]) == ("192.0.2.1", "OSError: connection refused")
    leave_request()
    assert logged() == []
