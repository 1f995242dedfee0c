"""Parse durations such as `15m`."""

from __future__ import annotations

import re

import typer

SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_seconds(text: str) -> int:
    """Return the seconds of `90s`, `15m`, `2h`, `1d` or a number without a unit.

    Raises:
        typer.BadParameter: `text` is none of these.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd]?)", text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a duration: it must be like 90s, 15m, 2h or 1d")
    return int(match[1]) * SECONDS_PER_UNIT[match[2] or "s"]
