"""Optional reports to other services: errors to Sentry, traces by OpenTelemetry."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from app.telemetry.redaction import Redaction
from app.telemetry.requests import current_request
from app.telemetry.service import instance, version
from app.telemetry.tracing import Tracer

FLUSH_TIMEOUT = 2.0
"""Seconds that the last reports may take when the service stops."""

ENVELOPE = ("timestamp", "level", "event", "service", "version", "instance", "logger", "user", "exc_info")
"""The fields of a log line that a report has in places of their own."""


class ReportingUnavailable(Exception):
    """A service is configured, but its client library is not installed."""

    def __init__(self, setting: str, package: str) -> None:
        super().__init__(f"{setting} is set, but {package} is not installed: install leaderboard[observability]")


class ErrorReports:
    """Sends logged errors to Sentry: with the exception, its stack, the version and the id of the user."""

    def __init__(self, dsn: str, environment: str, redaction: Redaction) -> None:
        """Open the client.

        Args:
            dsn: Where reports are sent.
            environment: Where the service runs.
            redaction: Is applied to every report.

        Raises:
            ReportingUnavailable: The client library is not installed.
        """
        try:
            import sentry_sdk
            from sentry_sdk.integrations.logging import LoggingIntegration
        except ImportError:
            raise ReportingUnavailable("SENTRY_DSN", "sentry-sdk") from None

        def redact(event: Any, hint: Any) -> Any:
            return json.loads(redaction.apply(json.dumps(event, default=str)))

        self._sdk = sentry_sdk
        sentry_sdk.init(
            dsn=dsn,
            environment=environment,
            release=f"leaderboard@{version()}",
            server_name=instance(),
            # Without integrations with libraries: that of Strawberry adds extensions to the schema, and others send
            # statements and headers.
            auto_enabling_integrations=False,
            integrations=[LoggingIntegration(level=None)],  # Errors that libraries log.
            in_app_include=["app"],
            include_local_variables=False,
            max_breadcrumbs=0,
            traces_sample_rate=0,
            before_send=redact,
        )

    def __call__(self, logger: str, level: str, event: Mapping[str, Any]) -> None:
        """Report a line of the log.

        Reports are grouped by the place that raised the exception, and those without one by logger and event.

        Args:
            logger: The name of the logger.
            level: `error` or `critical`.
            event: The line, with `exc_info` as it was given to the logger.
        """
        request = current_request.get()
        name = str(event.get("event", ""))
        with self._sdk.new_scope() as scope:
            scope.set_tag("logger", logger)
            scope.set_tag("event", name)
            for tag in ("error_id", "request_id", "trace_id"):
                if event.get(tag):
                    scope.set_tag(tag, event[tag])
            if request is not None and request.user is not None:
                scope.set_user({"id": str(request.user)})
            scope.set_context("line", {key: value for key, value in event.items() if key not in ENVELOPE})
            exception = _exception_of(event.get("exc_info"))
            if exception is None:
                scope.fingerprint = [logger, name]
                self._sdk.capture_message(name, level="fatal" if level == "critical" else "error")
            else:
                self._sdk.capture_exception(exception)


def flush_reports() -> None:
    """Send what was not sent yet, if errors are reported; blocks up to `FLUSH_TIMEOUT` seconds."""
    sdk = sys.modules.get("sentry_sdk")
    if sdk is not None:
        sdk.flush(timeout=FLUSH_TIMEOUT)


def _exception_of(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def open_tracer(endpoint: str, environment: str) -> Tracer:
    """Return a tracer that exports to `endpoint` by OTLP over HTTP.

    Raises:
        ReportingUnavailable: The client library is not installed.
    """
    try:
        from app.telemetry.open_telemetry import OpenTelemetryTracer
    except ImportError:
        raise ReportingUnavailable("OTEL_EXPORTER_OTLP_ENDPOINT", "opentelemetry-sdk") from None
    return OpenTelemetryTracer(endpoint, version=version(), instance=instance(), environment=environment)
