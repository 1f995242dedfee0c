"""Read files with one variable in each line."""

from __future__ import annotations

from pathlib import Path


def read_variables(path: Path) -> dict[str, str]:
    """Return the variables of a file; lines that begin with # are comments."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)
