"""The limit of open files of a process."""

from __future__ import annotations

import resource


def raise_descriptor_limit() -> None:
    """Raise the limit of open files of this process to what it may be raised to without privileges."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # macOS permits less than it says.
        return
