"""One scrape of all workers: each answers the others at a Unix socket, and whichever is scraped asks all of them.

Samples of several workers differ by the label `worker`. They are not added up here: the counters of a worker that ended
would then disappear from the sum, which Prometheus takes for a restart of all of them. As series of their own they
start again at zero, which `rate` and `increase` account for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.core import Metric as MetricFamily

from app.telemetry.metrics.registry import render

ANSWER_TIMEOUT = 2.0
"""Seconds that a worker may take to answer another one; Prometheus gives up after 10."""

LABEL = "worker"

_Texts = Mapping[str, Sequence[str]]
"""By the name of a metric: the lines about it, and the lines of its samples."""


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
    async def answering(self, read: Callable[[], Iterable[MetricFamily]]) -> AsyncIterator[None]:
        """Send the metrics that `read` returns to every worker that connects, until the block ends."""

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                writer.write(orjson.dumps(self._texts(read())))
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

    async def merged(self, own: Iterable[MetricFamily]) -> bytes:
        """Return the metrics of all workers in the text format of Prometheus, and which of them answered."""
        others = [number for number in range(self.count) if number != self.number]
        answers = dict(zip(others, await asyncio.gather(*map(self._ask, others)), strict=True))
        answers[self.number] = self._texts(own)
        up = GaugeMetricFamily(
            "leaderboard_worker_up", "1 for each worker whose metrics are in this answer, else 0.", labels=[LABEL]
        )
        merged: dict[str, list[str]] = {}
        for number in range(self.count):
            texts = answers[number]
            up.add_metric([str(number)], texts is not None)
            for name, (about, samples) in (texts or {}).items():
                merged.setdefault(name, [about]).append(samples)
        return render([up]) + "".join(text for texts in merged.values() for text in texts).encode()

    def _texts(self, families: Iterable[MetricFamily]) -> _Texts:
        """Return the text of each metric, labelled with this worker, so that merging them costs next to nothing."""
        texts: dict[str, Sequence[str]] = {}
        for family in families:
            labelled = MetricFamily(family.name, family.documentation, family.type)
            for sample in family.samples:
                labelled.add_sample(sample.name, {LABEL: str(self.number), **sample.labels}, sample.value)
            lines = render([labelled]).decode().splitlines(keepends=True)
            about = sum(line.startswith("#") for line in lines)
            texts[family.name] = "".join(lines[:about]), "".join(lines[about:])
        return texts

    async def _ask(self, number: int) -> _Texts | None:
        """Return the metrics of another worker; None if it does not answer, such as while it starts."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                reader, writer = await asyncio.open_unix_connection(self.socket(number))
                try:
                    texts: _Texts = orjson.loads(await reader.read())
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError):
            return None
        return texts
