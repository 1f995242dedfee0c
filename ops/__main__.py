"""Write what is generated: the rules of the objectives, the dashboard, and the reference of metrics.

python -m ops
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from app.telemetry.metrics.registry import Metric
from ops.dashboard import dashboard
from ops.metrics import registered_metrics
from ops.reference import PAGE, reference
from ops.slo import FOLDER, rules

HEADER = "# Made from ../slo.yaml by `make ops`.\n"


def generated(metrics: Sequence[Metric]) -> Mapping[Path, str]:
    """Return the content of each generated file."""
    return {
        FOLDER / "prometheus" / "slo.yml": HEADER + yaml.safe_dump(rules(), sort_keys=False, width=1000),
        FOLDER / "grafana" / "leaderboard.json": json.dumps(dashboard(), indent=2) + "\n",
        PAGE: reference(metrics),
    }


if __name__ == "__main__":
    for path, content in generated(registered_metrics()).items():
        path.write_text(content)
