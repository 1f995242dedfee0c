"""A release loses neither submissions nor watchers; no test asserts how long watchers were away."""

from __future__ import annotations

import pytest

from bench.subjects.nginx import PROGRAM
from tests.e2e.bench.test_bench_smoke import run


@pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")
@pytest.mark.timeout(600)
def test_a_rolling_restart_behind_the_delivered_nginx_loses_no_submission_and_no_watcher() -> None:
    options = ("--watchers", "20", "--per-second", "10", "--settle", "1", "--same-code")
    watchers_header, watchers, submissions_header, submissions = run("bench.rolling_restart", *options)
    seen = dict(zip(watchers_header, watchers, strict=True))
    # Those of the first instance may meet the second before it is replaced, and come back twice.
    assert int(seen["closed"]) >= 20
    assert seen["by code"] == f"1012: {seen['closed']}"
    assert seen["lost"] == "0"
    sent = dict(zip(submissions_header, submissions, strict=True))
    assert sent["failed"] == "0"
    assert int(sent["accepted"].replace(",", "")) > 20
