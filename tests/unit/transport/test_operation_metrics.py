"""What is counted of operations: with labels that clients cannot multiply."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from time import perf_counter

import strawberry

from app.execution import Engine
from app.transport.errors import BadRequest
from app.transport.operation_metrics import OperationMetrics


@strawberry.type
class Query:
    board: int = 1
    rank: int = 2


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def updates(self) -> AsyncGenerator[int, None]:
        yield 1


KNOWN = "query Known { board }"


def engine() -> Engine:
    return Engine(strawberry.Schema(Query, None, Subscription))


def metrics() -> OperationMetrics:
    return OperationMetrics(
        lambda error: "SERVICE_UNAVAILABLE" if isinstance(error, OSError) else "RATE_LIMITED",
        is_known=lambda document: document == KNOWN,
    )


def test_names_of_unknown_documents_make_one_series() -> None:
    prepare, measured = engine().prepare, metrics()
    for number in range(50):
        measured.record(prepare(f"query Name{number} {{ alias{number}: board }}"), perf_counter())
    measured.record(prepare(KNOWN), perf_counter())
    measured.record(prepare("query Known { board rank }"), perf_counter())
    assert measured.counts() == {
        ("other", "board", "query", "ok", "OK"): 50,
        ("Known", "board", "query", "ok", "OK"): 1,
        ("other", "several", "query", "ok", "OK"): 1,
    }


def test_errors_are_refusals_unless_the_service_is_at_fault() -> None:
    measured, bound = metrics(), engine().prepare(KNOWN).bind(None)
    measured.record_error(bound, perf_counter(), OSError())
    measured.record_error(bound, perf_counter(), ValueError())
    measured.record_error(None, perf_counter(), BadRequest(400, "no"))
    assert measured.counts() == {
        ("Known", "board", "query", "failed", "SERVICE_UNAVAILABLE"): 1,
        ("Known", "board", "query", "refused", "RATE_LIMITED"): 1,
        ("unknown", "unknown", "unknown", "refused", "BAD_REQUEST"): 1,
    }


def test_how_long_it_takes_to_refuse_over_a_rate_limit_is_not_measured_nor_how_long_a_subscription_lasts() -> None:
    measured, prepare = metrics(), engine().prepare
    query, subscription = prepare(KNOWN), prepare("subscription { updates }")
    measured.record(query, perf_counter())
    measured.record_error(query.bind(None), perf_counter(), ValueError())
    measured.record_subscription(subscription)
    measured.record_error(subscription.bind(None), perf_counter(), OSError())
    assert {labels[1]: series.seconds.count for labels, series in measured.series.items()} == {"board": 1, "updates": 0}
