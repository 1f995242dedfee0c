"""What operators install: rules, dashboard and reference fit the metrics of the service, and every alert fires."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from app.cli.program import build_program
from app.telemetry.metrics.histogram import CALL_SECONDS
from app.telemetry.metrics.registry import Kind, Metric
from app.transport.multiplexing.subscriber import LAG_SECONDS
from ops.__main__ import generated
from ops.metrics import registered_metrics
from ops.slo import objectives
from tests.unit.ops.firing import FIRING, OBJECTIVES, QUIET

ROOT = Path(__file__).resolve().parents[3]
RULES = [ROOT / "ops" / "prometheus" / name for name in ("slo.yml", "alerts.yml")]
DASHBOARD = ROOT / "ops" / "grafana" / "leaderboard.json"
RUNBOOKS = ROOT / "docs" / "operations" / "runbooks.md"

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")

SELECTOR = re.compile(r"(?<![\w:])((?:leaderboard_|process_|slo:)[\w:]+)(?:\{([^}]*)\})?")
OTHER_METRICS = {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds"}
"""Those of the client library."""
TARGET_LABELS = {"instance", "worker"}
"""Labels of every sample, from Prometheus or from several workers."""


@pytest.fixture(scope="module")
def metrics() -> Sequence[Metric]:
    return registered_metrics()


def alerts() -> Mapping[str, Mapping[str, Any]]:
    """All alerts by name; of those with several severities, the last."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def expressions() -> Iterator[str]:
    """All expressions of the rules and of the dashboard."""
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from (rule["expr"] for rule in group["rules"])
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def samples(metrics: Sequence[Metric]) -> dict[str, set[str]]:
    """The labels of every sample that the metrics have, by its name."""
    found: dict[str, set[str]] = {name: set() for name in OTHER_METRICS} | {"leaderboard_worker_up": {"worker"}}
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            found |= {rule["record"]: {"slo"} for rule in group["rules"] if "record" in rule}
    for metric in metrics:
        endings = ("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",)
        for ending in endings:
            found[metric.exported_name + ending] = {*metric.labels, *(["le"] if ending == "_bucket" else [])}
    return found


def test_what_is_generated_is_current(metrics: Sequence[Metric]) -> None:
    outdated = [path.name for path, content in generated(metrics).items() if path.read_text() != content]
    assert outdated == [], "run `make ops`"


def test_rules_and_dashboard_use_metrics_and_labels_that_exist(metrics: Sequence[Metric]) -> None:
    known = samples(metrics)
    for expression in expressions():
        used = SELECTOR.findall(expression)
        assert used or expression.startswith("up{"), expression
        for name, selector in used:
            assert name in known, expression
            labels = set(re.findall(r"(\w+)(?:=~|!=|!~|=)", selector))
            assert labels <= known[name], expression
        grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
        assert grouped <= set.union(TARGET_LABELS, *(known[name] for name, _ in used)), expression


def test_metrics_follow_the_conventions_of_prometheus(metrics: Sequence[Metric]) -> None:
    names = [metric.exported_name for metric in metrics]
    assert len(set(names)) == len(names)
    for metric in metrics:
        assert re.fullmatch(r"leaderboard(_[a-z]+)+", metric.exported_name)
        assert metric.help.endswith(".")
        assert not re.search(r"_(ms|milliseconds|minutes|kb|mb|percent)\b", metric.exported_name)
        # Prometheus renames labels that it uses itself.
        assert not {"job", "instance", "worker", "le"} & set(metric.labels)
        if "duration" in metric.name or "lag" in metric.name or "interval" in metric.name:
            assert metric.name.endswith("_seconds")


def test_the_thresholds_of_objectives_are_bounds_of_their_histograms() -> None:
    for objective in objectives():
        for bound in re.findall(r'le="([\d.]+)"', objective.good or ""):
            bounds = LAG_SECONDS if "watcher_lag" in objective.total else CALL_SECONDS
            assert bound in map(str, bounds)


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    text = RUNBOOKS.read_text()
    sections = re.findall(r"^### (\w+)$", text, re.MULTILINE)
    assert sorted(sections) == sorted(alerts())
    for name, rule in alerts().items():
        assert rule["annotations"]["runbook_url"] == f"docs/operations/runbooks.md#{name.lower()}"
        assert rule["labels"]["severity"] in ("page", "ticket")
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        assert "- **Do:**" in section or "As for [" in section, section


def test_runbooks_name_settings_and_metrics_that_exist(metrics: Sequence[Metric]) -> None:
    text = RUNBOOKS.read_text()
    known = samples(metrics)
    assert {name for name, _ in SELECTOR.findall(text)} <= known.keys()
    settings = re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    codes = set(re.findall(r'= "([A-Z_]+)"', (ROOT / "app" / "error_codes.py").read_text()))
    for name in re.findall(r"`([A-Z]+_[A-Z_]+)`", text):
        assert name in settings or name in codes, name


def test_runbooks_name_commands_and_log_events_that_exist() -> None:
    text = RUNBOOKS.read_text()
    commands = set(get_command(build_program()).commands)  # type: ignore[attr-defined]
    assert set(re.findall(r"`(?:docker [^`]*)?leaderboard ([a-z]+)", text)) <= commands
    code = "".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
    events = re.findall(
        r"`([a-z]+(?:_[a-z]+)+)`(?= (?:in the log|or `[a-z_]+` in the log|and `[a-z_]+` in the log))", text
    )
    assert len(set(events)) >= 8
    assert [event for event in events if f'"{event}"' not in code] == []


@needs_promtool
def test_promtool_accepts_the_rules_and_the_example_of_a_configuration() -> None:
    for arguments in (["rules", *map(str, RULES)], ["config", str(ROOT / "ops" / "prometheus" / "prometheus.yml")]):
        subprocess.run([str(PROMTOOL), "check", *arguments], check=True, capture_output=True)


@needs_promtool
def test_every_alert_about_a_cause_fires_and_none_fires_when_all_is_well(tmp_path: Path) -> None:
    assert FIRING.keys() | OBJECTIVES.keys() == alerts().keys()
    series = {name: values for each in FIRING.values() for name, values in each.items()}
    all_at_once = _test("80m", "30s", series, [(_firing(f'alertname="{name}"'), 1) for name in FIRING])
    _run([all_at_once, _test("80m", "30s", QUIET, [(_firing(""), None)])], tmp_path, interval="2m")


@needs_promtool
def test_the_alerts_of_an_objective_fire_at_each_burn_rate(tmp_path: Path) -> None:
    tests = [
        _test(
            "3d",
            "2m",
            series,
            [(_firing(f'alertname="{name}",window="{window}"'), 1) for window in ("1h", "6h", "1d", "3d")],
        )
        for name, series in OBJECTIVES.items()
    ]
    # They fire at once, so that it does not matter how rarely they are evaluated.
    _run(tests, tmp_path, interval="12h")


def _run(tests: Sequence[dict[str, Any]], folder: Path, *, interval: str) -> None:
    path = folder / "tests.yml"
    content = {"rule_files": list(map(str, RULES)), "evaluation_interval": interval, "tests": list(tests)}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    run = subprocess.run([str(PROMTOOL), "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def _firing(labels: str) -> str:
    """The expression that is 1 while an alert with these labels fires, and has no value otherwise."""
    separated = f"{labels}," if labels else ""
    return f'count(ALERTS{{{separated}alertstate="firing"}}) > bool 0'


def _test(
    time: str, interval: str, series: Mapping[str, str], expected: Sequence[tuple[str, int | None]]
) -> dict[str, Any]:
    """A test for promtool: with these series, the expressions have these values at this time."""
    return {
        "interval": interval,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": expression,
                "eval_time": time,
                "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
            }
            for expression, value in expected
        ],
    }
