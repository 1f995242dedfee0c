"""The web page, built while the API is already up."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
PAGE = "app/static/index.html"


@contextmanager
def building(say: Callable[[str], object]) -> Iterator[None]:
    """Bring the page up to date during the block, where its sources and `make` are at hand; `say` hears how it goes.

    Never fails: the API does not need the page. A build that is not through at the end of the block is ended.
    """
    if not (CHECKOUT / "web/package.json").is_file() or shutil.which("make") is None:
        yield
        return
    # A session of its own, so that the build can be ended with everything it has started.
    process = subprocess.Popen(
        ["make", "--silent", PAGE],
        cwd=CHECKOUT,
        env={name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    stopping = threading.Event()
    reader = threading.Thread(target=_follow, args=(process, say, stopping), name="web page", daemon=True)
    reader.start()
    try:
        yield
    finally:
        stopping.set()
        _end(process)
        reader.join(5)


def _follow(process: subprocess.Popen[str], say: Callable[[str], object], stopping: threading.Event) -> None:
    assert process.stdout is not None
    line = ""
    built = False
    for line in process.stdout:
        if not stopping.is_set():
            say(f"web page: {line.strip()}")
            built = True
    code = process.wait()
    if stopping.is_set():
        return
    if code:
        say(f"web page: not built ({line.strip() or f'exit code {code}'}); the API does not need it")
    elif built:
        say("web page: ready")


def _end(process: subprocess.Popen[str]) -> None:
    """End the build with all it started: npm outlives the `make` that called it, and a polite request."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(2)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
