"""Metrics in the text format of Prometheus, read from the services when they are scraped.

Services count in plain numbers and `Histogram`, at the cost of an addition; here these get names. Names follow the
conventions of Prometheus: base units (seconds, bytes), `_total` for counters, labels with few values.
https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as MetricFamily
from prometheus_client.registry import Collector

from app.telemetry.metrics.histogram import Histogram

PREFIX = "leaderboard_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]


class Kind(StrEnum):
    """The type of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, and the function that reads it.

    Attributes:
        kind: Its type.
        name: Its name without the prefix, and for a counter without `_total`.
        help: What it means, in one or two sentences.
        labels: The names of its labels.
        read: Returns its value, or its values by label values.
    """

    kind: Kind
    name: str
    help: str
    labels: Labels
    read: Callable[[], float | Histogram | Mapping[Labels, float] | Mapping[Labels, Histogram]]

    @property
    def exported_name(self) -> str:
        """The name that Prometheus shows."""
        return f"{PREFIX}{self.name}{'_total' if self.kind is Kind.COUNTER else ''}"

    def family(self) -> MetricFamily:
        """Read the metric."""
        value = self.read()
        values: Mapping[Labels, Any] = value if isinstance(value, Mapping) else {(): value}
        if self.kind is Kind.HISTOGRAM:
            histograms = HistogramMetricFamily(PREFIX + self.name, self.help, labels=self.labels)
            for labels, one in values.items():
                histograms.add_metric(labels, buckets=list(one.buckets()), sum_value=one.sum)
            return histograms
        kind = CounterMetricFamily if self.kind is Kind.COUNTER else GaugeMetricFamily
        family = kind(PREFIX + self.name, self.help, labels=self.labels)
        for labels, number in values.items():
            family.add_metric(labels, number)
        return family


def counter(name: str, help: str, read: Callable[[], float | Mapping[Labels, float]], *labels: str) -> Metric:
    """Return a metric that only grows while the process runs. See `Metric`."""
    return Metric(Kind.COUNTER, name, help, labels, read)


def gauge(name: str, help: str, read: Callable[[], float | Mapping[Labels, float]], *labels: str) -> Metric:
    """Return a metric that goes up and down. See `Metric`."""
    return Metric(Kind.GAUGE, name, help, labels, read)


def histogram(name: str, help: str, read: Callable[[], Histogram | Mapping[Labels, Histogram]], *labels: str) -> Metric:
    """Return a metric of observations, exported as `_bucket`, `_sum` and `_count`. See `Metric`."""
    return Metric(Kind.HISTOGRAM, name, help, labels, read)


class _Families(Collector):
    """Families that were read before."""

    def __init__(self, read: Callable[[], Iterable[MetricFamily]]) -> None:
        self._read = read

    def collect(self) -> Iterator[MetricFamily]:
        """Yield the families."""
        yield from self._read()


class MetricsRegistry:
    """The metrics of one application; not global, because tests run several in one process."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        """Create a registry of `metrics`, and of those of the process, of Python and of its garbage collector."""
        self.metrics = tuple(metrics)
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(_Families(lambda: (metric.family() for metric in self.metrics)))

    def families(self) -> list[MetricFamily]:
        """Read all metrics."""
        return list(self._registry.collect())


def render(families: Iterable[MetricFamily]) -> bytes:
    """Return families in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(lambda: families))
    return generate_latest(registry)
