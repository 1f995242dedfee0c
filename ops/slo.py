"""Alert rules for the objectives: how fast the error budget is used up, over a long and a short window at once.

The windows and factors are those of the Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts":
https://sre.google/workbook/alerting-on-slos/
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
RUNBOOKS = "docs/operations/runbooks.md"


@dataclass(frozen=True, slots=True)
class BurnRate:
    """A rate at which the error budget of 30 days is used up, and who is told.

    Attributes:
        factor: How many times as fast as the objective allows.
        long: The window over which the rate is measured.
        short: The window that ends the alert soon after the cause has ended.
        severity: `page` to wake a person up, `ticket` for the next working day.
    """

    factor: float
    long: str
    short: str
    severity: str


BURN_RATES = (
    BurnRate(14.4, "1h", "5m", "page"),
    BurnRate(6, "6h", "30m", "page"),
    BurnRate(3, "1d", "2h", "ticket"),
    BurnRate(1, "3d", "6h", "ticket"),
)
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


@dataclass(frozen=True, slots=True)
class Objective:
    """A share of events that must be good: see `slo.yaml`."""

    name: str
    alert: str
    title: str
    objective: float
    total: str
    good: str | None = None
    bad: str | None = None

    @property
    def budget(self) -> float:
        """The share of events that may be bad."""
        return round(1 - self.objective / 100, 6)

    def error_ratio(self, window: str) -> str:
        """Return the expression of the share of bad events over a window."""
        ratio = f"sum(rate({self.bad or self.good}[{window}])) / sum(rate({self.total}[{window}]))"
        return ratio if self.bad else f"1 - {ratio}"


def objectives() -> list[Objective]:
    """Read the objectives."""
    content: dict[str, Any] = yaml.safe_load((FOLDER / "slo.yaml").read_text())
    return [Objective(**each) for each in content["objectives"]]


def rules() -> dict[str, Any]:
    """Return the groups of rules, as Prometheus reads them."""
    return {
        "groups": [
            {
                "name": f"leaderboard-slo-{objective.name}",
                "rules": [*_error_ratios(objective), *_alerts(objective)],
            }
            for objective in objectives()
        ]
    }


def error_ratio(window: str) -> str:
    """Return the name of the recorded share of bad events over a window."""
    return f"slo:error_ratio:rate{window}"


def runbook(alert: str) -> str:
    """Return where the runbook of an alert is."""
    return f"{RUNBOOKS}#{alert.lower()}"


def _error_ratios(objective: Objective) -> list[dict[str, Any]]:
    return [
        {
            "record": error_ratio(window),
            "expr": objective.error_ratio(window),
            "labels": {"slo": objective.name},
        }
        for window in WINDOWS
    ]


def _alerts(objective: Objective) -> list[dict[str, Any]]:
    return [
        {
            "alert": objective.alert,
            "expr": (
                f'{error_ratio(rate.long)}{{slo="{objective.name}"}} > {rate.factor * objective.budget:.6g}'
                f' and {error_ratio(rate.short)}{{slo="{objective.name}"}} > {rate.factor * objective.budget:.6g}'
            ),
            "labels": {"severity": rate.severity, "window": rate.long},
            "annotations": {
                "summary": f"{objective.title}: the objective of {objective.objective:g} % is in danger",
                "description": (
                    f"During the last {rate.long} and {rate.short} the error budget of 30 days was used up at least "
                    f"{rate.factor:g} times as fast as the objective allows."
                ),
                "runbook_url": runbook(objective.alert),
            },
        }
        for rate in BURN_RATES
    ]
