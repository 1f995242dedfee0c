"""Histograms that cost a fraction of a microsecond per observation.

The histograms of prometheus_client take a lock and several method calls for each observation, which in a process with
one event loop protects nothing. These are plain lists of numbers, which `registry` turns into samples at a scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

CALL_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for requests and for calls to a store: from a cached answer to the longest timeout.

They include the thresholds of `ops/slo.yaml`, since a share below a threshold is exact only where that is a bound.
"""

JOB_SECONDS = (0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
"""Bounds for jobs: up to the longest timeout of one."""

BATCH_SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Bounds for the number of items in a batch."""


class Histogram:
    """Counts observations by bucket, and adds them up. Not for use by several threads."""

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, bounds: Sequence[float] = CALL_SECONDS) -> None:
        """Create an empty histogram.

        Args:
            bounds: The inclusive upper bounds of all buckets but the last, in ascending order. The last has none.
        """
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        """The sum of all observations."""

    def observe(self, value: float, times: int = 1) -> None:
        """Count `times` observations of `value`."""
        self._counts[bisect_left(self._bounds, value)] += times
        self.sum += value * times

    @property
    def count(self) -> int:
        """The number of observations."""
        return sum(self._counts)

    def buckets(self) -> Iterator[tuple[str, int]]:
        """Yield the bound of each bucket as Prometheus writes it, and how many observations are not above it."""
        bounds = (*map(str, self._bounds), "+Inf")
        return zip(bounds, accumulate(self._counts), strict=True)
