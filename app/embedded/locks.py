"""File locks between processes; the kernel releases them when the process that holds them ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from app.embedded.errors import EmbeddedError
from app.embedded.process import wait_until


@contextmanager
def exclusive_lock(path: Path, timeout: float) -> Iterator[None]:
    """Hold an exclusive lock on the file `path` during the block; the file is created if it is missing.

    Raises:
        EmbeddedError: Another process held the lock for `timeout` seconds.
    """
    path.touch(mode=0o600)  # every user who may open the file may also lock it
    with path.open("ab") as file:
        if not wait_until(lambda: _try_lock(file), timeout):
            raise EmbeddedError(f"another process has locked {path} for {timeout:.0f} s: stop it and try again")
        yield


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock on the file `path`."""
    if not path.exists():
        return False
    with path.open("ab") as file:
        return not _try_lock(file)


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
