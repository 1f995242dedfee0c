"""Optional reports to other services: errors to Sentry, traces by OpenTelemetry."""

from __future__ import annotations

from typing import Any


class ReportingUnavailable(Exception):
    """A service is configured, but its client library is not installed."""

    def __init__(self, setting: str, package: str) -> None:
        super().__init__(f"{setting} is set, but {package} is not installed: install leaderboard[observability]")


def report_errors(dsn: str, environment: str) -> None:
    """Send every logged error to Sentry, without data about users.

    Raises:
        ReportingUnavailable: The client library is not installed.
    """
    try:
        import sentry_sdk
        from sentry_sdk.integrations.strawberry import StrawberryIntegration
    except ImportError:
        raise ReportingUnavailable("SENTRY_DSN", "sentry-sdk") from None
    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        send_default_pii=False,
        traces_sample_rate=0,
        # It would add an extension to the schema; the execution engine runs no extensions.
        disabled_integrations=[StrawberryIntegration],
    )


def open_tracer(endpoint: str) -> Any:
    """Return a tracer that exports to `endpoint` by OTLP over HTTP.

    Raises:
        ReportingUnavailable: The client library is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ReportingUnavailable("OTEL_EXPORTER_OTLP_ENDPOINT", "opentelemetry-sdk") from None
    provider = TracerProvider(resource=Resource.create({"service.name": "leaderboard"}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider.get_tracer("leaderboard")
