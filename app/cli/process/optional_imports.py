"""Import libraries without optional dependencies that a server does not use.

Some libraries import others that are installed, whether or not they are needed: structlog imports rich, with which it
can print tracebacks, and redis-py imports the SDK of OpenTelemetry, to which it can report metrics of its own. Both are
installed for other purposes, the command line and traces, and would take 8 MB of the memory of a server.

To remove this module, delete the call of `import_lean`; nothing else depends on it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

UNUSED = {"structlog": ("rich",), "redis.asyncio": ("opentelemetry",)}
"""Libraries, each with those of its optional dependencies that are not used."""


def import_lean() -> None:
    """Import the libraries of `UNUSED` that are not imported yet as if their optional dependencies were missing."""
    for library, dependencies in UNUSED.items():
        if library not in sys.modules:
            with _missing(dependencies):
                importlib.import_module(library)


@contextmanager
def _missing(names: tuple[str, ...]) -> Iterator[None]:
    """Let imports of packages that are not imported yet raise ModuleNotFoundError, as Python does for None."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
