"""Measure what one request, one change and one socket cost: CPU of the service and of both stores, and memory.

    python -m bench.capacity [--record]

One process of the service runs with all features on private stores. CPU time is that of all processes of a server,
also between requests, divided by the number of requests. It varies less than elapsed time if the machine is busy.
`docs/operations/capacity.md` calculates with the results.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import asyncpg
import redis

from app.cli.process.descriptors import raise_descriptor_limit
from app.embedded import Stores
from bench.load.http import HttpLoad
from bench.load.run import Clients, clients, watchers
from bench.reporting import machine
from bench.reporting.report import Report
from bench.subjects.processes import Server, cpu_seconds, family, resident_bytes, wait_until_idle
from bench.subjects.stores import Database, private_stores
from bench.subjects.subjects import Service
from bench.workloads import request_loads
from bench.workloads.players import LEADERS, Player, make_players
from bench.workloads.publisher import Publisher

CONNECTIONS = 64
SECONDS = 60
"""The longest time for one kind of request."""

READERS = 256
SETTLE_SECONDS = 0.5
ARRIVAL_TIMEOUT = 60.0

HEADER = ("one …", "service, CPU ms", "PostgreSQL, CPU ms", "Redis, CPU ms", "measured")


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes whose CPU time is measured."""

    service: Sequence[int]
    postgresql: int
    redis: int

    def cpu(self) -> tuple[float, float, float]:
        """Return the CPU seconds of the service, PostgreSQL and Redis so far; ended child processes do not count."""
        return cpu_seconds(self.service), cpu_seconds(family(self.postgresql)), cpu_seconds([self.redis])


def store_processes(stores: Stores) -> tuple[int, int]:
    """Return the process ids of PostgreSQL's postmaster and of Redis."""

    async def postmaster(connection: asyncpg.Connection) -> int:
        file = await connection.fetchval("SELECT pg_read_file('postmaster.pid')")
        return int(file.splitlines()[0])

    with redis.Redis.from_url(stores.redis_url) as client:
        return Database(stores.database_url).run(postmaster), int(client.info("server")["process_id"])


def row(what: str, before: tuple[float, ...], after: tuple[float, ...], count: int) -> list[str]:
    """Return the row of a table: milliseconds of CPU for each of `count`."""
    return [
        what,
        *(f"{(end - begin) / count * 1000:.3f}" for begin, end in zip(before, after, strict=True)),
        f"{count:,}",
    ]


def requests(what: str, load: HttpLoad, processes: Processes, http: Clients) -> list[str]:
    """Run a load to its end, and return its row.

    Raises:
        RuntimeError: A request was refused.
    """
    wait_until_idle(processes.service)
    before = processes.cpu()
    outcome = http.run(replace(load, warm_up=0))
    if outcome.errors or not outcome.responses:
        raise RuntimeError(f"{what}: {outcome.errors} errors, such as {outcome.first_error}")
    time.sleep(SETTLE_SECONDS)  # What follows a request, such as updates of Redis, belongs to it.
    return row(what, before, processes.cpu(), outcome.responses)


def sockets(
    server: Server, publisher: Publisher, processes: Processes, count: int, changes: int
) -> tuple[list[list[str]], int]:
    """Open sockets, publish changes, and return the rows, and the bytes of memory of one socket.

    Raises:
        RuntimeError: A socket was lost, or missed a change.
    """
    with watchers(server.port) as opened:
        opened.ramp(1)
        opened.arrivals(publisher.publish().score, ARRIVAL_TIMEOUT)
        wait_until_idle(processes.service)
        resident, before = resident_bytes(processes.service), processes.cpu()
        if (lost := opened.ramp(count - 1).lost) > 0:
            raise RuntimeError(f"{lost} sockets were refused")
        joined = processes.cpu()
        wait_until_idle(processes.service)
        grown, begun = resident_bytes(processes.service), processes.cpu()
        for _ in range(changes):
            if (missing := opened.arrivals(publisher.publish().score, ARRIVAL_TIMEOUT).missing) > 0:
                raise RuntimeError(f"{missing} sockets missed a change")
        time.sleep(SETTLE_SECONDS)
        rows = [
            row("socket that is opened and subscribes", before, joined, count - 1),
            row(f"change for {count:,} watchers of a board", begun, processes.cpu(), changes),
        ]
    return rows, (grown - resident) // (count - 1)


def measure(report: Report, players: int, submissions: int, watching: int, changes: int, query_seconds: float) -> None:
    """Measure everything, and add the tables to the report."""
    with private_stores() as stores, clients() as http:
        service = Service("capacity", stores)
        everybody: Sequence[Player] = make_players(players, service.settings)
        service.fill(everybody)
        # A process of its own for each: memory that another load has freed would be used again.
        with running(service) as server:
            processes = Processes(server.pids, *store_processes(stores))
            wait_until_idle(processes.service)
            idle = resident_bytes(processes.service)
            http.run(request_loads.visit(server, everybody, CONNECTIONS))
            rows = [
                requests(
                    "action token", once(request_loads.issues(server, everybody, CONNECTIONS, SECONDS)), processes, http
                ),
                requests(
                    "submission",
                    request_loads.submissions(service, server, everybody, CONNECTIONS, SECONDS, submissions),
                    processes,
                    http,
                ),
            ]
            seen = resident_bytes(processes.service)
            queries = request_loads.queries(server, everybody[: LEADERS + READERS], CONNECTIONS, query_seconds)
            http.run(queries)  # The first query of each player verifies the access token.
            rows.append(requests("query of a board", queries, processes, http))
        with running(service) as server:
            publisher = Publisher(service, server.port, everybody[0], everybody[0].score, changes + 1)
            try:
                processes = replace(processes, service=server.pids)
                more, socket_bytes = sockets(server, publisher, processes, watching, changes)
            finally:
                publisher.close()
    report.table("CPU", HEADER, rows + more)
    report.table(
        "Memory of the process",
        ("", "bytes"),
        [
            ["idle", f"{idle:,}"],
            [f"after requests of {players:,} players", f"{seen:,}"],
            [f"for each of {watching:,} sockets", f"{socket_bytes:,}"],
        ],
    )


@contextmanager
def running(service: Service) -> Iterator[Server]:
    """Run the service during the block."""
    server = service.start()
    try:
        yield server
    finally:
        server.stop()


def once(load: HttpLoad) -> HttpLoad:
    """Return a load that sends each of its requests once."""
    return replace(load, repeat=False)


def main() -> None:
    """Parse the arguments, measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__.partition("\n")[0])
    parser.add_argument("--players", type=int, default=5000)
    parser.add_argument("--submissions", type=int, default=10_000)
    parser.add_argument("--watchers", type=int, default=2000)
    parser.add_argument("--changes", type=int, default=50)
    parser.add_argument("--query-seconds", type=float, default=10.0)
    parser.add_argument("--record", action="store_true", help="store the results in bench/RESULTS.md")
    arguments = parser.parse_args()
    raise_descriptor_limit()
    report = Report("Capacity", machine.describe())
    sizes = (arguments.players, arguments.submissions, arguments.watchers, arguments.changes)
    measure(report, *sizes, arguments.query_seconds)
    if arguments.record:
        report.record()


if __name__ == "__main__":
    main()
