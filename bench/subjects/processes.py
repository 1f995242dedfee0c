"""Run servers as child processes, and read their resource usage from /proc."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from urllib.request import urlopen

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_TIMEOUT = 60
STOP_TIMEOUT = 15


class StartError(Exception):
    """A server ended or did not answer while it was started. The text is the end of its log."""


@dataclass
class Server:
    """The processes of one subject, which serve the same port of 127.0.0.1."""

    port: int
    processes: Sequence[subprocess.Popen[bytes]]
    log: IO[bytes]

    @property
    def pids(self) -> list[int]:
        """The processes and all their descendants."""
        return [pid for process in self.processes for pid in family(process.pid)]

    def stop(self) -> None:
        """Stop the processes gracefully, or by SIGKILL if that takes too long."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_TIMEOUT)
        self.log.close()


def start(command: Sequence[str], environment: Mapping[str, str], *, workers: int = 1, probe: str = "/livez") -> Server:
    """Run `command` once per worker, all on one listening socket that they inherit as the descriptor `LISTEN_FD`.

    Args:
        command: The command.
        environment: Further environment variables.
        workers: The number of processes.
        probe: The path that answers when the server is ready.

    Raises:
        StartError: A process ended, or `probe` did not answer in time.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    os.set_inheritable(listener.fileno(), True)
    port = listener.getsockname()[1]
    log: IO[bytes] = TemporaryFile()  # noqa: SIM115 - closed by Server.stop
    variables = {**os.environ, **environment, "LISTEN_FD": str(listener.fileno())}
    with listener:
        processes = [
            subprocess.Popen(command, env=variables, pass_fds=[listener.fileno()], stdout=log, stderr=log)
            for _ in range(workers)
        ]
    server = Server(port, processes, log)
    try:
        _await(server, probe)
    except BaseException:
        server.stop()
        raise
    return server


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of all threads of `pids` so far."""
    ticks = 0
    for pid in pids:
        # The name in parentheses may contain anything; what follows it are numbers.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_SECOND


def resident_bytes(pids: Sequence[int]) -> int:
    """Physical memory of `pids`; pages that they share count for each."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE")


def wait_until_idle(pids: Sequence[int], *, timeout: float = 30.0) -> None:
    """Wait until `pids` have used nearly no CPU for half a second, for at most `timeout` seconds."""
    deadline = time.monotonic() + timeout
    used = cpu_seconds(pids)
    while time.monotonic() < deadline:
        time.sleep(0.5)
        before, used = used, cpu_seconds(pids)
        if used - before <= 0.02:
            return


def _await(server: Server, probe: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in server.processes):
            break
        try:
            with urlopen(f"http://127.0.0.1:{server.port}{probe}", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    server.log.seek(0)
    raise StartError(server.log.read()[-4000:].decode(errors="replace"))


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]
