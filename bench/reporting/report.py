"""The page that a run prints, and the file in which results are kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "RESULTS.md"


class Report:
    """Prints as it grows, so that a long run shows where it is."""

    def __init__(self, title: str, machine: str) -> None:
        self._title = title
        self._lines: list[str] = []
        self._say(f"## {title}", "", machine)

    def note(self, text: str) -> None:
        """A paragraph."""
        self._say("", text)

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table in Markdown, aligned for people as well."""
        cells = [list(header), *map(list, rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
        lines = [
            "| "
            + " | ".join(
                _cell(cell, width, column) for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            + " |"
            for row in cells
        ]
        rule = "|" + "|".join("-" * (width + 1) + (":" if column else "-") for column, width in enumerate(widths)) + "|"
        self._say("", f"### {title}", "", lines[0], rule, *lines[1:])

    def record(self) -> None:
        """Put this run on top of the kept results."""
        head, _, older = RESULTS.read_text().partition("\n## ")
        kept = f"{head.rstrip()}\n\n" + "\n".join(self._lines) + "\n"
        RESULTS.write_text(kept + (f"\n## {older}" if older else ""))

    def _say(self, *lines: str) -> None:
        self._lines += lines
        print("\n".join(lines), flush=True)


def _cell(text: str, width: int, column: int) -> str:
    return text.rjust(width) if column else text.ljust(width)
