"""Attack a server started for the purpose: `python -m bench.attack [number of documents]`.

Rate limits are off, or nearly all answers would be theirs. Ends with 1 when anything came back that must not: a 5xx,
a socket that broke off (1006), a stack trace, sent or logged, or a turn of the event loop of more than 50 ms.
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
from bench.attack.report import Tally
from bench.attack.scenarios import Target, attack
from bench.reporting.machine import describe
from bench.reporting.report import Report
from bench.subjects.stores import create_database, private_stores
from tests.support.service import settings_for

ALLOWED = 0.05
START = 30.0


def start(settings: Settings, listener: socket.socket, log: IO[str]) -> subprocess.Popen[str]:
    """The server, listening on `listener` and logging to `log`."""
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


async def assault(url: str, settings: Settings, documents: int) -> list[Tally]:
    """Wait until the server answers, then attack it."""
    async with httpx2.AsyncClient(base_url=url, timeout=START) as http:
        (await http.get("/livez")).raise_for_status()
        return await attack(Target(url, settings, http, documents), lambda wave: print(f"... {wave}", file=sys.stderr))


def run(documents: int) -> int:
    """The whole attack. Returns the exit status."""
    report = Report("Attack", describe())
    with private_stores() as stores, socket.create_server(("127.0.0.1", 0)) as listener, TemporaryFile("w+") as log:
        database = create_database(stores, "attack")
        upgrade(database.url)
        settings = settings_for(database.url, stores.redis_url)
        server = start(settings, listener, log)
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            tallies = asyncio.run(assault(url, settings, documents))
        finally:
            server.terminate()
            said, _ = server.communicate(timeout=START)
        log.seek(0)
        logged = sum('"exception"' in line or "Traceback" in line for line in log)
    return judge(report, tallies, logged, float(said))


def judge(report: Report, tallies: list[Tally], logged: int, longest: float) -> int:
    """Print the table and what it comes to. Returns the exit status."""
    report.table("What came back", ["attack", "sent", "slowest ms", "answers"], [tally.row() for tally in tallies])
    traces = sum(tally.stack_traces for tally in tallies)
    faults = sum(tally.answers[fault] for tally in tallies for fault in tally.faults)
    sent = sum(tally.sent for tally in tallies)
    report.note(f"{sent} attacks: {faults} answers that must not be (5xx, 1006, internal error).")
    report.note(f"{traces} stack traces were sent and {logged} logged.")
    report.note(f"The longest turn of the event loop took {longest * 1000:.0f} ms of processor time.")
    return int(bool(faults or traces or logged or longest > ALLOWED))


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
