"""How the service names itself in logs, traces and reports."""

from __future__ import annotations

import importlib.metadata
import os
import socket
from functools import cache

SERVICE = "leaderboard"


@cache
def version() -> str:
    """Return the version of the service."""
    return importlib.metadata.version(SERVICE)


@cache
def _host() -> str:
    return socket.gethostname()


def instance() -> str:
    """Return the name of this process: its host and its id."""
    return f"{_host()}:{os.getpid()}"
