"""Describe the machine of a measurement."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def describe() -> str:
    """Return date, processor, cores, kernel, versions and load average in one line."""
    model = "an unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    busy = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {model}, {os.cpu_count()} cores; Linux {platform.release()}; "
        f"Python {platform.python_version()}, strawberry {version('strawberry-graphql')}, uvicorn {version('uvicorn')}"
        f"{_node()}; load average at the start {busy:.2f}"
    )


def _node() -> str:
    try:
        found = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return f", Node {found.stdout.strip().removeprefix('v')}"
