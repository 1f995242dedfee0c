"""Metrics in Prometheus' text format, read from the counters that the parts of the service keep anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Samples = Mapping[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric, and how to read it now: a number, or one per combination of label values."""

    name: str
    help: str
    read: Callable[[], float | Samples]
    labels: tuple[str, ...] = ()
    counts: bool = False
    """Whether it only grows."""


class Readings(Collector):
    """Asks for every reading when scraped, and at no other time."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = tuple(readings)

    def collect(self) -> Iterator[Metric]:
        """The metrics as they stand."""
        for reading in self._readings:
            family = CounterMetricFamily if reading.counts else GaugeMetricFamily
            metric = family(f"leaderboard_{reading.name}", reading.help, labels=reading.labels)
            value = reading.read()
            for labels, number in value.items() if isinstance(value, Mapping) else [((), value)]:
                metric.add_metric(list(labels), number)
            yield metric


class Metrics:
    """A registry of one application: nothing global, so that several can live in one process."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(Readings(readings))

    def render(self) -> bytes:
        """The page that Prometheus scrapes."""
        return generate_latest(self._registry)
