"""Locks between processes; the kernel releases them when their holder dies."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from app.embedded.errors import EmbeddedError
from app.embedded.process import wait_until


@contextmanager
def exclusive(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock file `path` alone; raises EmbeddedError when another process keeps it for `seconds`."""
    path.touch(mode=0o600)  # a stranger who may open it may also lock it
    with path.open("ab") as file:
        if not wait_until(lambda: _take(file), seconds):
            raise EmbeddedError(f"another process has locked {path} for {seconds:.0f} s: stop it and try again")
        yield


def is_held(path: Path) -> bool:
    """Whether a live process holds the lock file `path`."""
    if not path.exists():
        return False
    with path.open("ab") as file:
        return not _take(file)


def _take(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
