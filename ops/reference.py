"""The reference of metrics in the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.telemetry.metrics.registry import Metric

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operations" / "metrics.md"
BEGIN, END = "<!-- The table is made by `make ops`. -->\n", "<!-- End of the table. -->\n"


def reference(metrics: Sequence[Metric]) -> str:
    """Return the page with a table of `metrics`."""
    rows = [
        f"| `{metric.exported_name}` | {metric.kind.value} | {', '.join(f'`{label}`' for label in metric.labels)} "
        f"| {metric.help} |\n"
        for metric in metrics
    ]
    table = "".join(["| metric | type | labels | meaning |\n", "|---|---|---|---|\n", *rows])
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"
