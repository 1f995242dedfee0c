"""Build the web page while the API is already running."""

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
def build_web_page(print_line: Callable[[str], object]) -> Iterator[None]:
    """Build the page during the block if its sources and `make` are available, and print the progress.

    A failure is printed and not raised, because the API does not need the page. A build that is still running at the
    end of the block is stopped.
    """
    if not (CHECKOUT / "web/package.json").is_file() or shutil.which("make") is None:
        yield
        return
    # In a new session, so that the build can be stopped with all of its child processes.
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
    reader = threading.Thread(
        target=_print_progress, args=(process, print_line, stopping), name="web page", daemon=True
    )
    reader.start()
    try:
        yield
    finally:
        stopping.set()
        _stop(process)
        reader.join(5)


def _print_progress(
    process: subprocess.Popen[str], print_line: Callable[[str], object], stopping: threading.Event
) -> None:
    assert process.stdout is not None
    line = ""
    built = False
    for line in process.stdout:
        if not stopping.is_set():
            print_line(f"web page: {line.strip()}")
            built = True
    code = process.wait()
    if stopping.is_set():
        return
    if code:
        print_line(f"web page: not built ({line.strip() or f'exit code {code}'}); the API does not need it")
    elif built:
        print_line("web page: ready")


def _stop(process: subprocess.Popen[str]) -> None:
    """Stop the build with all of its child processes; npm may outlive `make`, and may ignore SIGTERM."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(2)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
