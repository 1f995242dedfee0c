"""The benchmarks run, and every subject answers without errors; no test asserts a speed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def run(*arguments: str) -> list[list[str]]:
    """Run a benchmark and return the cells of the tables that it prints."""
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    finished = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=590
    )
    assert finished.returncode == 0, finished.stderr[-4000:]
    lines = [line for line in finished.stdout.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.timeout(600)
def test_every_subject_is_measured_and_none_answers_with_an_error() -> None:
    header, *rows = run("bench.requests", "--smoke", "--only", "queries", "submissions")
    assert header[-1] == "errors"
    scores = [row for row in rows if row != header]
    assert {"ours, cached answers", "ours, executed", "idiomatic", "bare Starlette", "ours"} <= {
        row[0] for row in scores
    }
    assert all(float(row[1].replace(",", "")) > 0 for row in scores)
    assert all(row[-1] == "0" for row in scores)


@pytest.mark.timeout(600)
def test_changes_reach_all_watchers_during_submissions() -> None:
    header, row = run("bench.requests", "--smoke", "--only", "mixed")
    measured = dict(zip(header, row, strict=True))
    assert measured["errors"] == "0"
    assert measured["missed"] == "0"
    assert float(measured["last receipt ms"]) > 0


@pytest.mark.timeout(600)
def test_every_change_reaches_every_watcher_of_every_subject() -> None:
    header, *rows = run("bench.fanout", "--watchers", "30", "--rounds", "1", "--broadcasts", "2")
    assert {"ours", "idiomatic"} <= {row[1] for row in rows}
    assert all(row[header.index("missed")] == "0" for row in rows)
    assert all(float(row[header.index("last ms")]) > 0 for row in rows)


@pytest.mark.timeout(600)
def test_requests_sockets_and_changes_cost_processor_time_and_memory() -> None:
    sizes = (
        "--players",
        "200",
        "--submissions",
        "256",
        "--watchers",
        "100",
        "--changes",
        "2",
        "--query-seconds",
        "0.5",
    )
    rows = {row[0]: row[1:] for row in run("bench.capacity", *sizes)}
    counted = {name: int(row[-1].replace(",", "")) for name, row in rows.items() if len(row) == 4 and name != "one …"}
    assert counted["socket that is opened and subscribes"] == 99
    assert counted["change for 100 watchers of a board"] == 2
    assert all(counted[name] > 0 for name in ("action token", "submission", "query of a board"))
    assert int(rows["idle"][0].replace(",", "")) > 0
