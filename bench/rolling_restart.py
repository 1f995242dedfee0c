"""A release under load: what watchers and submitting players see while the instances are replaced one after the other.

    python -m bench.rolling_restart [--watchers 1000] [--old COMMIT | --same-code] [--record]

Two instances run behind nginx with the delivered configuration. By default they run the code of the commit before the
newest migration, as version N; the database is migrated while they serve, so that old code uses the new schema; then
each is stopped by SIGTERM and replaced by this version. nginx is told nothing of it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from app.cli.process.descriptors import raise_descriptor_limit
from app.config import load_settings
from bench.reporting import machine
from bench.reporting.report import Report
from bench.reporting.rounds import percentile
from bench.rolling.instances import (
    CHECKOUT,
    Instance,
    InstanceFailed,
    checkout_of,
    commit_before_newest_migration,
    describe,
    migrate,
)
from bench.rolling.submissions import Outcomes, Submissions
from bench.rolling.watchers import Absences, Watchers
from bench.subjects.nginx import nginx
from bench.subjects.stores import create_database, private_stores
from bench.workloads.players import make_players

PLAYERS = 200
COME_BACK_SECONDS = 60.0
"""Seconds after which a watcher that has not come back is given up."""


async def release(
    port: int,
    instances: list[Instance],
    watchers: Watchers,
    submissions: Submissions,
    settle: float,
    upgrade: Callable[[], None],
) -> list[float]:
    """Replace the instances one after the other under load, and return how long each took to end.

    Raises:
        InstanceFailed: An instance does not start or end, or watchers do not come back.
    """
    stop = asyncio.Event()
    watching = asyncio.create_task(watchers.run())
    submitting = asyncio.create_task(submissions.run(stop))
    seconds = []
    try:
        await _require_all(watchers)
        await asyncio.sleep(settle)
        await asyncio.to_thread(upgrade)
        await asyncio.sleep(settle)
        for instance in instances:
            seconds.append(await asyncio.to_thread(instance.stop))
            await asyncio.to_thread(instance.start)
            await _require_all(watchers)
            await asyncio.sleep(settle)
    finally:
        stop.set()
        watching.cancel()
        await asyncio.gather(watching, submitting, return_exceptions=True)
    submitting.result()
    return seconds


async def _require_all(watchers: Watchers) -> None:
    if not await watchers.until_all_watch(COME_BACK_SECONDS):
        raise InstanceFailed(f"{watchers.absences.watching} of {watchers.count} watchers see the board")


def main() -> int:
    """Measure and print. Return 1 if a submission failed or a watcher was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.rolling_restart", description=__doc__.partition("\n")[0])
    parser.add_argument("--watchers", type=int, default=1000)
    parser.add_argument("--per-second", type=float, default=10.0, help="submissions per second")
    parser.add_argument("--settle", type=float, default=5.0, help="seconds of load between two steps")
    parser.add_argument("--old", help="the commit of version N; by default the one before the newest migration")
    parser.add_argument("--same-code", action="store_true", help="replace this version by itself")
    parser.add_argument("--record", action="store_true", help="store the results in bench/RESULTS.md")
    arguments = parser.parse_args()
    raise_descriptor_limit()
    report = Report("Rolling restart", machine.describe())
    with ExitStack() as stack:
        old = CHECKOUT
        if not arguments.same_code:
            commit = arguments.old or commit_before_newest_migration()
            old = stack.enter_context(checkout_of(commit))
            report.note(f"Version N is commit {describe(commit)}; the database was migrated while it served.")
        stores = stack.enter_context(private_stores())
        database = create_database(stores, "rolling")
        environment = {
            "DATABASE_URL": database.url,
            "REDIS_URL": stores.redis_url,
            "REDIS_PREFIX": "rolling",
            "RATE_LIMIT_ENABLED": "false",
            "FRAUD_ENABLED": "false",
            "TRUSTED_PROXIES": "127.0.0.1",
            "DB_POOL_MIN": "2",
            "DB_POOL_MAX": "20",
            "LOG_LEVEL": "WARNING",
        }
        migrate(old, environment)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        instances = [Instance(environment, folder / f"instance-{number}.log") for number in (1, 2)]
        for instance in instances:
            stack.callback(instance.kill)
            instance.start(old)
        port = stack.enter_context(nginx([instance.port for instance in instances]))
        players = make_players(PLAYERS, load_settings(_env_file=None, **_lower(environment)))
        watchers = Watchers(port, arguments.watchers)
        submissions = Submissions(port, players, arguments.per_second)

        def upgrade() -> None:
            if old != CHECKOUT:
                migrate(CHECKOUT, environment)

        ended = asyncio.run(release(port, instances, watchers, submissions, arguments.settle, upgrade))
    _show(report, watchers.absences, submissions.outcomes, ended, arguments.watchers)
    if arguments.record:
        report.record()
    return 1 if submissions.outcomes.failures or watchers.absences.gone else 0


def _lower(environment: Mapping[str, str]) -> dict[str, object]:
    return {name.lower(): value for name, value in environment.items()}


def _show(report: Report, absences: Absences, outcomes: Outcomes, ended: list[float], count: int) -> None:
    times = sorted(absences.seconds)
    codes = _counts(absences.codes)
    refused = _counts(absences.refused)
    report.table(
        f"{count:,} watchers, each instance replaced once",
        ("", "closed", "by code", "back p50 s", "p99 s", "last s", "refused attempts", "lost"),
        [["watchers", f"{len(times):,}", codes, *_spread(times), refused, f"{absences.gone:,}"]],
    )
    seconds = sorted(outcomes.seconds)
    failures = _counts(outcomes.failures)
    report.table(
        "Submissions meanwhile, each with its token and without a second attempt",
        ("", "accepted", "failed", "p50 s", "p99 s", "last s"),
        [["submissions", f"{len(seconds):,}", failures, *_spread(seconds)]],
    )
    report.note(f"The instances ended {' and '.join(f'{one:.1f}' for one in ended)} s after SIGTERM.")


def _counts(found: Counter[int] | Counter[str]) -> str:
    return ", ".join(f"{name}: {number:,}" for name, number in sorted(found.items())) or "0"


def _spread(times: list[float]) -> tuple[str, str, str]:
    values = (percentile(times, 50), percentile(times, 99), max(times, default=0.0))
    return f"{values[0]:.3f}", f"{values[1]:.3f}", f"{values[2]:.3f}"


if __name__ == "__main__":
    sys.exit(main())
