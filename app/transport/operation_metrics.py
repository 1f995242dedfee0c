"""What is counted and measured of operations: how many, with which outcome, and how long they took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from graphql import OperationType

from app.error_codes import ErrorCode
from app.execution import BoundOperation, Operation, Response
from app.telemetry.metrics.histogram import Histogram
from app.transport.errors import BadRequest, DocumentRefused

OK = "OK"
"""The code of an operation without an error."""

OTHER = "other"
"""The name of all operations whose document is not known: a client chooses names freely, and each would be a series."""

RATE_LIMITED = ErrorCode.RATE_LIMITED.value

SEVERAL = "several"
"""The field of an operation with more than one root field."""

FAILURES = frozenset({ErrorCode.SERVICE_UNAVAILABLE.value, ErrorCode.INTERNAL_SERVER_ERROR.value})
"""The codes that are the fault of the service. With any other one, the request was refused."""

Labels = tuple[str, str, str]
"""Name of the operation, root field, and type: query, mutation or subscription."""


class OperationSeries:
    """The measurements of all operations with the same labels."""

    __slots__ = ("codes", "seconds")

    def __init__(self) -> None:
        self.codes: Counter[str] = Counter()
        """How many have ended, by code."""
        self.seconds = Histogram()
        """Seconds from the request, once its body has arrived, to the reply; not of those over a rate limit."""


class OperationMetrics:
    """Counts the operations of all transports."""

    def __init__(
        self,
        code_of: Callable[[Exception], str] = lambda _: ErrorCode.INTERNAL_SERVER_ERROR.value,
        *,
        is_known: Callable[[str], bool] = lambda _: False,
        refusal_of: Callable[[Any], str | None] = lambda _: None,
    ) -> None:
        """Create empty counters.

        Args:
            code_of: Returns the code of an error of the service.
            is_known: Returns whether a document is one of the installation, so that its name may be a label.
            refusal_of: Returns the code of the refusal that an operation with this context had as its result, if any.
        """
        self.series: dict[Labels, OperationSeries] = {}
        self.unprepared: Counter[str] = Counter()
        """Requests that were refused before their operation was known, by code."""
        self._code_of = code_of
        self._is_known = is_known
        self._refusal_of = refusal_of

    def record(self, operation: Operation, started: float, code: str = OK) -> None:
        """Count an operation that has ended.

        Args:
            operation: The operation.
            started: When its request arrived, by `perf_counter`.
            code: The code of its error.
        """
        series: OperationSeries | None = operation.series
        if series is None:
            series = self._series_of(operation)
        series.codes[code] += 1
        if code != RATE_LIMITED:  # Refusing takes no time, and would hide how long the others took.
            series.seconds.observe(perf_counter() - started)

    def record_response(self, operation: Operation, started: float, response: Response, context: object) -> None:
        """Count an operation that has ended with `response`."""
        if response.errors:
            codes = [self._code_of(error) for error in response.errors]
            code = next((code for code in codes if code in FAILURES), codes[0])
        else:
            code = self._refusal_of(context) or OK
        self.record(operation, started, code)

    def record_error(self, bound: BoundOperation | None, started: float, error: Exception) -> None:
        """Count an operation that has ended with an exception, or None for a request that did not get so far."""
        match error:
            case BadRequest():
                code: str = ErrorCode.BAD_REQUEST.value
            case DocumentRefused():
                code = error.code
            case _:
                code = self._code_of(error)
        if bound is None:
            self.unprepared[code] += 1
        elif bound.operation.kind is OperationType.SUBSCRIPTION:
            self._series(bound.operation).codes[code] += 1
        else:
            self.record(bound.operation, started, code)

    def record_subscription(self, operation: Operation) -> None:
        """Count a subscription that begins. How long it lasts is up to the client."""
        self._series(operation).codes[OK] += 1

    def counts(self) -> Mapping[tuple[str, ...], int]:
        """Return how many operations have ended, by name, field, type, outcome and code."""
        counts: dict[tuple[str, ...], int] = {
            (*labels, outcome_of(code), code): number
            for labels, series in self.series.items()
            for code, number in series.codes.items()
        }
        for code, number in self.unprepared.items():
            counts["unknown", "unknown", "unknown", outcome_of(code), code] = number
        return counts

    def _series(self, operation: Operation) -> OperationSeries:
        series: OperationSeries | None = operation.series
        return self._series_of(operation) if series is None else series

    def _series_of(self, operation: Operation) -> OperationSeries:
        name = operation.name if operation.name and self._is_known(operation.query) else OTHER
        fields = set(operation.root_fields)
        field = fields.pop() if len(fields) == 1 else SEVERAL
        series = self.series.setdefault((name, field, operation.kind.value), OperationSeries())
        operation.series = series
        return series


def outcome_of(code: str) -> str:
    """Return what a code means for the availability of the service: `ok`, `refused` or `failed`."""
    return "ok" if code == OK else "failed" if code in FAILURES else "refused"
