"""Child processes that end with their parent."""

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
# Nothing of our own environment (secrets, PG* defaults) concerns the servers.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def spawn(
    command: Iterable[str | Path],
    os_user: OsUser,
    log: Path,
    *,
    dying: signal.Signals = signal.SIGTERM,
    text: str = "",
) -> subprocess.Popen[bytes]:
    """Start a server as `os_user`, in a session of its own, with `text` on its standard input.

    It gets no signal from our terminal; on Linux the kernel sends it `dying` as soon as the thread that called
    this function ends, for whatever reason. `log` holds the output of the last start only.
    """
    parent = os.getpid()
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def follow_parent() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, dying)
            if os.getppid() != parent:  # it died before the line above
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
            preexec_fn=follow_parent,  # runs after the change of user, which would undo it
            **os_user.identity,
        )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(text.encode())
    return process


def stop(process: subprocess.Popen[bytes], gentle: signal.Signals, firm: signal.Signals) -> None:
    """End a server: gently for 10 s, firmly for 5 s, then by force. Does nothing when it has ended."""
    for number, seconds in ((gentle, 10), (firm, 5), (signal.SIGKILL, 5)):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask every 10 ms; whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def free_port() -> int:
    """A TCP port of the loopback that is free now; another program may still take it first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
