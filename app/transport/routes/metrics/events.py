"""Metrics of events: what is still to be delivered, and the attempts to do so."""

from __future__ import annotations

from collections.abc import Sequence

from app.services.outbox.statistics import EventFigures
from app.telemetry.metrics.registry import Metric, counter, gauge
from app.wiring import App

NOTHING = EventFigures()


def event_metrics(app: App) -> Sequence[Metric]:
    """Return the metrics of events. Those of the state of the outbox are known to the leader alone."""
    outbox = app.outbox

    def figures() -> EventFigures:
        return outbox.statistics.figures if app.jobs.is_leader else NOTHING

    def of_endpoints(value: str) -> dict[tuple[str, ...], float]:
        now = app.clock()
        found: dict[tuple[str, ...], float] = {}
        for report in figures().endpoints:
            age = (now - report.oldest).total_seconds() if report.oldest else 0.0
            values: dict[str, float] = {
                "undelivered": report.undelivered,
                "lag": max(0.0, age),
                "dead": report.dead_letters,
                "lost": report.endpoint.lost,
            }
            found[str(report.endpoint.id),] = values[value]
        return found

    return [
        gauge("events_unsequenced", "Committed events without a position, up to 100 000.", lambda: figures().new),
        gauge(
            "events_unsequenced_age_seconds",
            "How long ago the oldest committed event without a position happened.",
            lambda: figures().new_age,
        ),
        gauge("events_kept", "Events that are kept, delivered or not.", lambda: figures().kept),
        gauge(
            "event_endpoint_state",
            "1 for the present state of each endpoint.",
            lambda: {
                (str(report.endpoint.id), report.endpoint.state.value.lower()): 1 for report in figures().endpoints
            },
            "endpoint",
            "state",
        ),
        gauge(
            "event_endpoint_undelivered",
            "Events that are not delivered to an endpoint yet.",
            lambda: of_endpoints("undelivered"),
            "endpoint",
        ),
        gauge(
            "event_endpoint_lag_seconds",
            "Age of the oldest event that was not tried for an endpoint yet.",
            lambda: of_endpoints("lag"),
            "endpoint",
        ),
        gauge(
            "event_endpoint_dead_letters",
            "Deliveries to an endpoint that were given up.",
            lambda: of_endpoints("dead"),
            "endpoint",
        ),
        gauge(
            "event_endpoint_lost",
            "Events that were deleted before they could be delivered to an endpoint.",
            lambda: of_endpoints("lost"),
            "endpoint",
        ),
        gauge(
            "event_stream_undelivered",
            "Events that are not published to a stream yet.",
            lambda: {(name,): count for name, count in figures().streams.items()},
            "stream",
        ),
        counter(
            "event_delivery_attempts",
            "Attempts of this instance to deliver an event to an endpoint.",
            lambda: {key: float(count) for key, count in outbox.attempts.items()},
            "endpoint",
            "outcome",
        ),
    ]
