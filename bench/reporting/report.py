"""Print the report of a run, and store it in RESULTS.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "RESULTS.md"


class Report:
    """A report that is printed as it grows, so that a long run shows its progress."""

    def __init__(self, title: str, machine: str) -> None:
        self._title = title
        self._lines: list[str] = []
        self._print(f"## {title}", "", machine)

    def note(self, text: str) -> None:
        """Add a paragraph."""
        self._print("", text)

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a table in Markdown with aligned columns."""
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
        self._print("", f"### {title}", "", lines[0], rule, *lines[1:])

    def record(self) -> None:
        """Add this report at the top of the stored results."""
        head, _, older = RESULTS.read_text().partition("\n## ")
        stored = f"{head.rstrip()}\n\n" + "\n".join(self._lines) + "\n"
        RESULTS.write_text(stored + (f"\n## {older}" if older else ""))

    def _print(self, *lines: str) -> None:
        self._lines += lines
        print("\n".join(lines), flush=True)


def _cell(text: str, width: int, column: int) -> str:
    return text.rjust(width) if column else text.ljust(width)
