"""Metrics in the text format of Prometheus, read from the counters of the services when they are scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.core import Metric as MetricFamily
from prometheus_client.registry import Collector

Samples = Mapping[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, and the function that reads it: a number, or one number per combination of label values."""

    name: str
    help: str
    read: Callable[[], float | Samples]
    labels: tuple[str, ...] = ()
    counts: bool = False
    """Whether it is a counter, which only grows; otherwise it is a gauge."""


class MetricsCollector(Collector):
    """Reads every metric when it is scraped, and at no other time."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = tuple(metrics)

    def collect(self) -> Iterator[MetricFamily]:
        """Yield the current metrics."""
        for metric in self._metrics:
            kind = CounterMetricFamily if metric.counts else GaugeMetricFamily
            family = kind(f"leaderboard_{metric.name}", metric.help, labels=metric.labels)
            value = metric.read()
            for labels, number in value.items() if isinstance(value, Mapping) else [((), value)]:
                family.add_metric(list(labels), number)
            yield family


class Metrics:
    """The metrics registry of one application; not global, because tests run several in one process."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(MetricsCollector(metrics))

    def render(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
