"""Traces by OpenTelemetry, exported with OTLP over HTTP. Importing this module needs the optional packages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.telemetry.tracing import Attributes, traced_by
from app.telemetry.tracing import Link as OurLink

EXPORT_TIMEOUT = 5
"""Seconds that one export may take."""

CLOSE_TIMEOUT = 3.0
"""Seconds that the last export may take when the service stops."""

_PROPAGATOR = TraceContextTextMapPropagator()


class OpenTelemetrySpan:
    """See `app.telemetry.tracing.Span`."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def trace_id(self) -> str:
        """The id of the trace."""
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    def rename(self, name: str) -> None:
        """Give the span another name."""
        self._span.update_name(name)

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""
        self._span.set_attributes(attributes)

    def fail(self, kind: str, description: str = "") -> None:
        """Mark the work as failed."""
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR, description or None))


class SpanLink:
    """See `app.telemetry.tracing.Link`."""

    def __init__(self, tracer: OpenTelemetryTracer, context: SpanContext) -> None:
        self.tracer = tracer
        self.context = context


class OpenTelemetryTracer:
    """See `app.telemetry.tracing.Tracer`.

    The sampler is that of the variables `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`, by default all traces
    except those whose caller does not sample them.
    """

    def __init__(self, endpoint: str, *, version: str, instance: str, environment: str) -> None:
        """Create a tracer; nothing is sent before a span has ended.

        Args:
            endpoint: The URL of a collector, without the path of traces.
            version: The version of the service.
            instance: The name of this process.
            environment: Where the service runs.
        """
        resource = Resource.create(
            {
                "service.name": "leaderboard",
                "service.version": version,
                "service.instance.id": instance,
                "deployment.environment.name": environment,
            }
        )
        self._provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("leaderboard", version)

    @contextmanager
    def request(
        self, name: str, attributes: Attributes, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> Iterator[OpenTelemetrySpan]:
        """Trace a request in the current task, as part of the trace that its `headers` name."""
        carrier = {
            key.decode("latin-1"): value.decode("latin-1")
            for key, value in headers
            if key in (b"traceparent", b"tracestate")
        }
        parent = _PROPAGATOR.extract(carrier, Context())
        with self._open(name, attributes, SpanKind.SERVER, context=parent) as span:
            yield span

    @contextmanager
    def span(self, name: str, attributes: Attributes, *, is_call: bool) -> Iterator[OpenTelemetrySpan]:
        """Trace a part of the work of the current task."""
        kind = SpanKind.CLIENT if is_call else SpanKind.INTERNAL
        with self._tracer.start_as_current_span(
            name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            yield from _failing(OpenTelemetrySpan(span))

    def start(self, name: str, attributes: Attributes) -> Any:
        """Start the span of a call of another server."""
        return self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)

    def end(self, started: Any, error: BaseException | None = None) -> None:
        """End a span that was started."""
        if error is not None:
            OpenTelemetrySpan(started).fail(type(error).__name__)
        started.end()

    def link(self) -> SpanLink | None:
        """Return a reference to the current span."""
        context = trace.get_current_span().get_span_context()
        return SpanLink(self, context) if context.is_valid else None

    @contextmanager
    def batch(self, name: str, links: Sequence[OurLink], attributes: Attributes) -> Iterator[OpenTelemetrySpan]:
        """Trace work that many requests share, as a trace of its own."""
        found = [Link(link.context) for link in links if isinstance(link, SpanLink)]
        with self._open(name, attributes, SpanKind.INTERNAL, context=Context(), links=found) as span:
            yield span

    async def close(self) -> None:
        """Export what was not exported yet; a collector that does not answer delays the stop by a few seconds."""
        closing = asyncio.get_running_loop().run_in_executor(None, self._provider.shutdown)
        await asyncio.wait([closing], timeout=CLOSE_TIMEOUT)

    @contextmanager
    def _open(
        self, name: str, attributes: Attributes, kind: SpanKind, *, context: Context, links: Sequence[Link] = ()
    ) -> Iterator[OpenTelemetrySpan]:
        """Start a span that is no child of the current one. What is within an unsampled one is not traced."""
        span = self._tracer.start_span(name, context=context, kind=kind, attributes=attributes, links=links)
        with (
            trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False),
            traced_by(self if span.is_recording() else None),
        ):
            yield from _failing(OpenTelemetrySpan(span))


def _failing(span: OpenTelemetrySpan) -> Iterator[OpenTelemetrySpan]:
    """Yield a span, and mark it as failed by an exception. Its message is left out: it may contain values."""
    try:
        yield span
    except Exception as error:
        span.fail(type(error).__name__)
        raise
