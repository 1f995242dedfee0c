"""One scrape of all workers: each answers the others at a Unix socket, and whichever is scraped asks all of them.

Samples of several workers differ by the label `worker`. They are not added up here: the counters of a worker that ended
would then disappear from the sum, which Prometheus takes for a restart of all of them. As series of their own they
start again at zero, which `rate` and `increase` account for.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.core import Metric as MetricFamily

ANSWER_TIMEOUT = 2.0
"""Seconds that a worker may take to answer another one; Prometheus gives up after 10."""

LABEL = "worker"


@dataclass(frozen=True, slots=True)
class Worker:
    """One of several processes that serve the same socket.

    Attributes:
        number: Its number, from 0. The replacement of a worker that ended has the same number.
        count: How many workers there are.
        folder: Where the workers have their Unix sockets; nobody else may use it.
    """

    number: int
    count: int
    folder: Path

    def socket(self, number: int) -> Path:
        """Return the path of the socket of a worker."""
        return self.folder / str(number)

    @asynccontextmanager
    async def answering(self, read: Callable[[], Sequence[MetricFamily]]) -> AsyncIterator[None]:
        """Send the metrics that `read` returns to every worker that connects, until the block ends."""

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                writer.write(_encode(read()))
                await writer.drain()
                writer.close()
                await writer.wait_closed()

        path = self.socket(self.number)
        path.unlink(missing_ok=True)  # The worker that had this number before may have been killed.
        server = await asyncio.start_unix_server(answer, path)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)

    async def merged(self, own: Sequence[MetricFamily]) -> list[MetricFamily]:
        """Return the metrics of all workers, and which of them answered."""
        others = [number for number in range(self.count) if number != self.number]
        answers = dict(zip(others, await asyncio.gather(*map(self._ask, others)), strict=True))
        answers[self.number] = own
        up = GaugeMetricFamily(
            "leaderboard_worker_up", "1 for each worker whose metrics are in this answer, else 0.", labels=[LABEL]
        )
        merged: dict[str, MetricFamily] = {up.name: up}
        for number in range(self.count):
            families = answers[number]
            up.add_metric([str(number)], families is not None)
            for family in families or ():
                into = merged.setdefault(family.name, MetricFamily(family.name, family.documentation, family.type))
                for sample in family.samples:
                    into.add_sample(sample.name, {LABEL: str(number), **sample.labels}, sample.value)
        return list(merged.values())

    async def _ask(self, number: int) -> Sequence[MetricFamily] | None:
        """Return the metrics of another worker; None if it does not answer, such as while it starts."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                reader, writer = await asyncio.open_unix_connection(self.socket(number))
                try:
                    return _decode(await reader.read())
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError):
            return None


def _encode(families: Iterable[MetricFamily]) -> bytes:
    return orjson.dumps(
        [
            [
                family.name,
                family.documentation,
                family.type,
                [[sample.name, sample.labels, sample.value] for sample in family.samples],
            ]
            for family in families
        ]
    )


def _decode(message: bytes) -> list[MetricFamily]:
    """Return the families of a message. Raises ValueError if it is incomplete."""
    families: list[MetricFamily] = []
    content: list[Any] = orjson.loads(message)
    for name, documentation, kind, samples in content:
        family = MetricFamily(name, documentation, kind)
        for sample_name, labels, value in samples:
            family.add_sample(sample_name, labels, math.nan if value is None else value)
        families.append(family)
    return families
