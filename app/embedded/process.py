"""Start and stop child processes that end with their parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from app.embedded.os_user import OsUser

_PR_SET_PDEATHSIG = 1
# The servers get none of the variables of this process, such as secrets and PG* defaults.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def spawn(
    command: Iterable[str | Path],
    os_user: OsUser,
    log: Path,
    *,
    parent_death_signal: signal.Signals = signal.SIGTERM,
    text: str = "",
) -> subprocess.Popen[bytes]:
    """Start a server as `os_user`, in a new session, so that it gets no signals from the terminal.

    Args:
        command: The program and its arguments.
        os_user: The user that the process runs as.
        log: The file for its output; it is overwritten.
        parent_death_signal: The signal that the kernel sends to the process when the calling thread ends (Linux only).
        text: The standard input of the process.
    """
    parent = os.getpid()
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def follow_parent() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, parent_death_signal)
            if os.getppid() != parent:  # the parent ended before the line above
                os._exit(1)

    log.touch(mode=0o600)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd="/",
            env=_ENVIRONMENT,
            start_new_session=True,
            preexec_fn=follow_parent,  # after the change of user, which resets the signal
            **os_user.popen_arguments,
        )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(text.encode())
    return process


def stop(process: subprocess.Popen[bytes], graceful: signal.Signals, fast: signal.Signals) -> None:
    """Stop a process: with `graceful`, after 10 s with `fast`, after 5 s more with SIGKILL; no-op if it has ended."""
    for number, seconds in ((graceful, 10), (fast, 5), (signal.SIGKILL, 5)):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Check `condition` every 10 ms; return whether it became true within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def free_port() -> int:
    """Return a TCP port of the loopback interface that is free now; another program may still bind it first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
