"""The folder `.data`: the files of private servers, and the URL of the development server that is running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

DATA_FOLDER = Path(".data")
"""Relative to the folder in which a command is run."""

_LOCK = DATA_FOLDER / "server.lock"
_URL = DATA_FOLDER / "server.url"
_LOCK_TIMEOUT = 0.5  # seconds; a command that reads the URL holds the lock for an instant


@contextmanager
def publish_url(url: str) -> Iterator[bool]:
    """Make `url` the address at which other commands in this folder find the server, during the block.

    Yields:
        Whether the URL is published; it is not if another server of this folder has published its own.
    """
    from app.embedded import EmbeddedError
    from app.embedded.locks import exclusive_lock
    from app.embedded.paths import make_private, write_private

    with ExitStack() as stack:
        try:
            make_private(DATA_FOLDER)
            stack.enter_context(exclusive_lock(_LOCK, _LOCK_TIMEOUT))
            write_private(_URL, url)
        except (EmbeddedError, OSError):
            yield False
            return
        stack.callback(_URL.unlink, missing_ok=True)
        yield True


def published_url() -> str | None:
    """Return the URL of the development server that is running in this folder; None if there is none."""
    if not _URL.exists():
        return None
    from app.embedded.locks import is_held

    try:
        # A server that was killed left the file, but not the lock.
        return _URL.read_text() if is_held(_LOCK) else None
    except OSError:
        return None
