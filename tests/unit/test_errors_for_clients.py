"""What clients are told about errors that nobody expected."""

from __future__ import annotations

import pytest
from graphql import GraphQLError
from structlog.testing import capture_logs

from app.domain.errors import RateLimited
from app.graphql import MAX_DETAIL, ErrorRenderer


def test_in_production_an_unexpected_error_is_masked_and_its_id_is_in_the_log():
    with capture_logs() as logs:
        shown = ErrorRenderer().render(KeyError("secret"))
    assert "secret" not in str(shown)
    assert shown["extensions"]["errorId"] == next(line["error_id"] for line in logs)


@pytest.mark.parametrize("wrapped", [False, True], ids=["of a request", "of a field"])
def test_in_development_the_response_names_the_cause(wrapped: bool):
    errors, cause = ErrorRenderer(shows_details=True), KeyError("what is missing")
    shown = errors.format(GraphQLError("masked", original_error=cause)) if wrapped else errors.render(cause)
    assert shown["extensions"]["detail"] == "KeyError: 'what is missing'"
    assert shown["extensions"]["code"] == "INTERNAL_SERVER_ERROR"


def test_the_cause_is_cut_off():
    shown = ErrorRenderer(shows_details=True).render(ValueError("x" * 10 * MAX_DETAIL))
    assert len(shown["extensions"]["detail"]) == MAX_DETAIL


def test_expected_errors_look_the_same_everywhere():
    error = RateLimited(5)
    assert ErrorRenderer(shows_details=True).render(error) == ErrorRenderer().render(error)
