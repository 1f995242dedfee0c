"""Measure all contenders in turn, several times, and compute medians."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.load.http import HttpLoad, HttpOutcome
from bench.load.run import Clients

HEADER = ("", "req/s", "p50 ms", "p95 ms", "p99 ms", "server CPU ms", "client CPU ms", "errors")


@dataclass(frozen=True)
class Contender:
    """A server under load; `load` creates a new load for each round."""

    name: str
    load: Callable[[], HttpLoad]


@dataclass(frozen=True)
class Score:
    """Medians over the rounds. Times in milliseconds, CPU per request; errors are the sum."""

    name: str
    rate: float
    p50: float
    p95: float
    p99: float
    server_cpu: float
    client_cpu: float
    errors: int
    first_error: str

    @property
    def row(self) -> tuple[str, ...]:
        """The cells for `HEADER`."""
        times = (f"{time:.1f}" for time in (self.p50, self.p95, self.p99))
        cpu = (f"{self.server_cpu:.3f}" if self.server_cpu else "", f"{self.client_cpu:.3f}")
        return (self.name, f"{self.rate:,.0f}", *times, *cpu, str(self.errors))


def compete(clients: Clients, contenders: Sequence[Contender], rounds: int) -> list[Score]:
    """Run the load of each contender in turn, `rounds` times, and return the medians.

    Every second round is in the reverse order: what comes after a pause has a slight advantage.
    """
    outcomes: dict[str, list[HttpOutcome]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        for contender in reversed(contenders) if number % 2 else contenders:
            outcomes[contender.name].append(clients.run(contender.load()))
    return [score(name, each) for name, each in outcomes.items()]


def score(name: str, outcomes: Sequence[HttpOutcome]) -> Score:
    """Return the medians of the outcomes of one contender."""

    def of(figure: Callable[[HttpOutcome], float]) -> float:
        return median(map(figure, outcomes))

    return Score(
        name,
        rate=of(lambda one: one.rate),
        p50=of(lambda one: percentile(one.latencies, 50) * 1000),
        p95=of(lambda one: percentile(one.latencies, 95) * 1000),
        p99=of(lambda one: percentile(one.latencies, 99) * 1000),
        server_cpu=of(lambda one: one.server_cpu / one.responses * 1000),
        client_cpu=of(lambda one: one.client_cpu / one.responses * 1000),
        errors=sum(one.errors for one in outcomes),
        first_error=next((one.first_error for one in outcomes if one.first_error), ""),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` percent of `values` do not exceed; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))] if ordered else 0.0
