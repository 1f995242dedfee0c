"""Metrics: histograms, their text, and the scrape of several workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.telemetry.metrics.histogram import Histogram
from app.telemetry.metrics.registry import MetricsRegistry, counter, gauge, histogram, render
from app.telemetry.metrics.workers import Worker
from tests.support.metrics import samples_of


def registry(served: int = 0, seconds: Histogram | None = None) -> MetricsRegistry:
    return MetricsRegistry(
        [
            counter("served", "How many were served.", lambda: served),
            gauge("open", "Open ones.", lambda: {("a",): 1, ("b",): True}, "kind"),
            histogram("wait_seconds", "Waits.", lambda: {("a",): seconds or Histogram([1])}, "kind"),
        ]
    )


def test_a_bucket_counts_what_is_not_above_its_bound() -> None:
    measured = Histogram([0.1, 1.0])
    for value in (0.05, 0.1, 0.5):
        measured.observe(value)
    measured.observe(2.0, times=3)
    assert list(measured.buckets()) == [("0.1", 2), ("1.0", 3), ("+Inf", 6)]
    assert measured.count == 6
    assert measured.sum == pytest.approx(6.65)


def test_metrics_have_a_prefix_and_counters_an_ending() -> None:
    measured = Histogram([1.0])
    measured.observe(0.5)
    samples = samples_of(render(registry(3, measured).families()).decode())
    assert samples["leaderboard_served_total"] == 3
    assert samples['leaderboard_open{kind="b"}'] == 1
    assert samples['leaderboard_wait_seconds_bucket{kind="a",le="1.0"}'] == 1
    assert samples['leaderboard_wait_seconds_sum{kind="a"}'] == 0.5


async def test_one_scrape_has_the_metrics_of_all_workers_that_answer(tmp_path: Path) -> None:
    scraped, other = (Worker(number, 3, tmp_path) for number in (0, 1))
    async with other.answering(registry(5).families):
        samples = samples_of((await scraped.merged(registry(2).families())).decode())
    assert [samples[f'leaderboard_worker_up{{worker="{number}"}}'] for number in (0, 1, 2)] == [1, 1, 0]
    assert samples['leaderboard_served_total{worker="0"}'] == 2
    assert samples['leaderboard_served_total{worker="1"}'] == 5
    assert samples['leaderboard_wait_seconds_bucket{kind="a",le="+Inf",worker="1"}'] == 0
    assert 'leaderboard_served_total{worker="2"}' not in samples


async def test_the_replacement_of_a_killed_worker_takes_its_place(tmp_path: Path) -> None:
    scraped, other = (Worker(number, 2, tmp_path) for number in (0, 1))
    other.socket(1).touch()  # A worker that was killed leaves its socket.
    samples = samples_of((await scraped.merged([])).decode())
    assert samples['leaderboard_worker_up{worker="1"}'] == 0
    async with other.answering(registry(1).families):
        samples = samples_of((await scraped.merged([])).decode())
    assert samples['leaderboard_worker_up{worker="1"}'] == 1
