"""Attack servers that are started for this purpose.

    python -m bench.attack [--documents 1000] [--seconds 10] [--players 2000] [--only views sockets …]

First hostile requests are sent to a server without rate limits, which would refuse nearly all of them. The exit code is
1 after a response 5xx, a socket that was closed without a code (1006), a stack trace in a response or in the log, or an
iteration of the event loop of more than 50 ms.

Then one address at a time demands too much of a server with its default limits, while a writer and a watcher at other
addresses go on as before. The exit code is 1 if an update is lost, a write fails, a circuit breaker opens, a newcomer
is refused, or the victims wait more than twice as long as before.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import httpx2

from app.config import Settings
from app.embedded import Stores
from app.models.migrate import upgrade
from bench.attack.report import ScenarioResult
from bench.attack.scenarios import Target, attack
from bench.attack.takeover import ATTACKS, HEADER, take_over
from bench.reporting.machine import describe
from bench.reporting.report import Report
from bench.subjects.stores import create_database, private_stores
from tests.support.service import settings_for

MAX_LOOP_LAG = 0.05
"""Seconds of processor time."""
START_TIMEOUT = 30.0


def start(settings: Settings, listener: socket.socket, log: IO[str], more: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start the server with `more` settings, which listens on `listener` and writes its log to `log`."""
    environment = os.environ | {
        "LISTEN_FD": str(listener.fileno()),
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "REDIS_PREFIX": settings.redis_prefix,
        **more,
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
    """Attack the server."""
    async with httpx2.AsyncClient(base_url=url, timeout=START_TIMEOUT) as http:
        return await attack(
            Target(url, settings, http, documents), lambda scenario: print(f"... {scenario}", file=sys.stderr)
        )


def send_hostile_requests(stores: Stores, documents: int) -> int:
    """Run the attack without rate limits, and return the exit code."""
    report = Report("Attack", describe())
    with server(stores, "attack", {"RATE_LIMIT_ENABLED": "false"}) as attacked:
        results = asyncio.run(attack_server(attacked.url, attacked.settings, documents))
    return judge(report, results, attacked.logged, attacked.max_lag)


def take_the_service_away(stores: Stores, only: Sequence[str], seconds: float, size: int, players: int) -> int:
    """Run the attacks on the service of others, and return the exit code."""
    report = Report("Attacks on the service of others", describe())
    more = {"TRUSTED_PROXIES": "127.0.0.1", "FRAUD_ENABLED": "false"}
    with server(stores, "takeover", more, players) as attacked:
        outcomes = []
        for name in only:
            print(f"... {name}", file=sys.stderr)
            outcomes.append(asyncio.run(take_over(name, attacked.url, attacked.settings, seconds=seconds, size=size)))
    report.table("What the victims met", HEADER, [outcome.row() for outcome in outcomes])
    for outcome in outcomes:
        answers = ", ".join(f"{answer}: {count}" for answer, count in outcome.answers.items())
        report.note(f"Answers to {outcome.name}: {answers}")
    return int(any(outcome.broken or outcome.slowed for outcome in outcomes))


@dataclass
class AttackedServer:
    """A running server, and after its end what was found in its log and its loop."""

    url: str
    settings: Settings
    logged: int = 0
    max_lag: float = 0.0


@contextmanager
def server(stores: Stores, name: str, more: Mapping[str, str], players: int = 0) -> Iterator[AttackedServer]:
    """Run a server with a database of its own during the block, and wait until it answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener, TemporaryFile("w+") as log:
        database = create_database(stores, name)
        upgrade(database.url)
        settings = settings_for(database.url, stores.redis_url)
        if players:
            seed(settings, players)
        process = start(settings, listener, log, more)
        attacked = AttackedServer(f"http://127.0.0.1:{listener.getsockname()[1]}", settings)
        try:
            # The socket accepts connections from the beginning; the answer comes once the server has started.
            httpx2.get(f"{attacked.url}/livez", timeout=START_TIMEOUT).raise_for_status()
            yield attacked
        finally:
            process.terminate()
            output, _ = process.communicate(timeout=START_TIMEOUT)
            log.seek(0)
            attacked.logged = sum('"exception"' in line or "Traceback" in line for line in log)
            attacked.max_lag = float(output)


def seed(settings: Settings, players: int) -> None:
    """Add players with a history of a month."""
    environment = os.environ | {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "REDIS_PREFIX": settings.redis_prefix,
    }
    command = [sys.executable, "-m", "app.cli", "seed", "--users", str(players), "--days", "30"]
    subprocess.run([*command, "--actions", str(2 * players)], env=environment, check=True, stdout=sys.stderr)


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


def main() -> int:
    """Run everything that is asked for, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.attack", description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, default=1000, help="hostile documents; 0: no hostile requests")
    parser.add_argument("--seconds", type=float, default=10, help="how long each attack on the others is measured")
    parser.add_argument(
        "--size", type=int, default=60, help="subscriptions, sockets, streams or documents of an attack"
    )
    parser.add_argument("--players", type=int, default=2000, help="players on the board")
    parser.add_argument("--only", nargs="*", choices=ATTACKS, default=list(ATTACKS), help="attacks on the others")
    arguments = parser.parse_args()
    with private_stores() as stores:
        failed = arguments.documents and send_hostile_requests(stores, arguments.documents)
        if arguments.only:
            failed |= take_the_service_away(
                stores, arguments.only, arguments.seconds, arguments.size, arguments.players
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
