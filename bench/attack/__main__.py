"""Attack a server that is started for this purpose: `python -m bench.attack [number of documents]`.

Rate limits are off, because otherwise they would refuse nearly all requests. The exit code is 1 after a response 5xx, a
socket that was closed without a code (1006), a stack trace in a response or in the log, or an iteration of the event
loop of more than 50 ms.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import httpx2

from app.config import Settings
from app.models.migrate import upgrade
from bench.attack.report import ScenarioResult
from bench.attack.scenarios import Target, attack
from bench.reporting.machine import describe
from bench.reporting.report import Report
from bench.subjects.stores import create_database, private_stores
from tests.support.service import settings_for

MAX_LOOP_LAG = 0.05
"""Seconds of processor time."""
START_TIMEOUT = 30.0


def start(settings: Settings, listener: socket.socket, log: IO[str]) -> subprocess.Popen[str]:
    """Start the server, which listens on `listener` and writes its log to `log`."""
    environment = os.environ | {
        "LISTEN_FD": str(listener.fileno()),
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "REDIS_PREFIX": settings.redis_prefix,
        "RATE_LIMIT_ENABLED": "false",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "bench.attack.server"],
        env=environment,
        pass_fds=[listener.fileno()],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        cwd=Path(__file__).parents[2],
    )


async def attack_server(url: str, settings: Settings, documents: int) -> list[ScenarioResult]:
    """Wait until the server answers, then attack it."""
    async with httpx2.AsyncClient(base_url=url, timeout=START_TIMEOUT) as http:
        (await http.get("/livez")).raise_for_status()
        return await attack(
            Target(url, settings, http, documents), lambda scenario: print(f"... {scenario}", file=sys.stderr)
        )


def run(documents: int) -> int:
    """Run the whole attack and return the exit code."""
    report = Report("Attack", describe())
    with private_stores() as stores, socket.create_server(("127.0.0.1", 0)) as listener, TemporaryFile("w+") as log:
        database = create_database(stores, "attack")
        upgrade(database.url)
        settings = settings_for(database.url, stores.redis_url)
        server = start(settings, listener, log)
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            results = asyncio.run(attack_server(url, settings, documents))
        finally:
            server.terminate()
            output, _ = server.communicate(timeout=START_TIMEOUT)
        log.seek(0)
        logged = sum('"exception"' in line or "Traceback" in line for line in log)
    return judge(report, results, logged, float(output))


def judge(report: Report, results: list[ScenarioResult], logged: int, max_lag: float) -> int:
    """Print the table and a summary, and return the exit code."""
    report.table("What came back", ["attack", "sent", "slowest ms", "answers"], [result.row() for result in results])
    traces = sum(result.stack_traces for result in results)
    faults = sum(result.answers[fault] for result in results for fault in result.faults)
    sent = sum(result.sent for result in results)
    report.note(f"{sent} attacks: {faults} answers that must not be (5xx, 1006, internal error).")
    report.note(f"{traces} stack traces were sent and {logged} logged.")
    report.note(f"The longest iteration of the event loop took {max_lag * 1000:.0f} ms of processor time.")
    return int(bool(faults or traces or logged or max_lag > MAX_LOOP_LAG))


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
