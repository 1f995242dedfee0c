"""The dashboard for Grafana: rows by what an operator asks, from the outside to the inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ops.slo import error_ratio, objectives

WIDTH, HEIGHT = 8, 8
PANELS_PER_ROW = 3
SUBMISSIONS = 'field=~"submitScore|submitSignedAction|recordAction|recordActions"'


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph of one or more queries, each with its legend."""

    title: str
    unit: str
    queries: Sequence[tuple[str, str]]


def _rate(metric: str, by: str = "") -> str:
    total = f"sum by ({by})" if by else "sum"
    return f"{total} (rate({metric}[$__rate_interval]))"


def _quantiles(histogram: str, labels: str = "", by: str = "") -> list[tuple[str, str]]:
    """Return the queries of the median and the slowest 5 % and 1 %."""
    groups, legend = ("le", "") if not by else (f"le, {by}", f" {{{{{by}}}}}")
    selector = f"{{{labels}}}" if labels else ""
    return [
        (
            f"histogram_quantile({q}, sum by ({groups}) (rate({histogram}_bucket{selector}[$__rate_interval])))",
            f"p{q * 100:g}{legend}",
        )
        for q in ((0.5, 0.95, 0.99) if not by else (0.99,))
    ]


ROWS: Sequence[tuple[str, Sequence[Panel]]] = (
    (
        "Objectives",
        [
            Panel(
                objective.title,
                "percentunit",
                [(f'{error_ratio(window)}{{slo="{objective.name}"}}', window) for window in ("5m", "1h", "6h")],
            )
            for objective in objectives()
        ],
    ),
    (
        "Requests",
        [
            Panel("Operations by field", "ops", [(_rate("leaderboard_operations_total", "field"), "{{field}}")]),
            Panel(
                "Refused and failed",
                "ops",
                [(_rate('leaderboard_operations_total{outcome!="ok"}', "outcome, code"), "{{outcome}} {{code}}")],
            ),
            Panel("Queries", "s", _quantiles("leaderboard_operation_duration_seconds", 'type="query"')),
            Panel("Running operations", "short", [("sum(leaderboard_operations_running)", "running")]),
            Panel("Limits", "ops", [(_rate("leaderboard_limit_refusals_total", "limit"), "{{limit}}")]),
            Panel(
                "Cache hits",
                "percentunit",
                [
                    (
                        _rate('leaderboard_cache_requests_total{result="hit"}', "cache")
                        + " / "
                        + _rate("leaderboard_cache_requests_total", "cache"),
                        "{{cache}}",
                    )
                ],
            ),
        ],
    ),
    (
        "Submissions",
        [
            Panel("Submissions", "s", _quantiles("leaderboard_operation_duration_seconds", SUBMISSIONS)),
            Panel("Phases", "s", _quantiles("leaderboard_submission_phase_duration_seconds", by="phase")),
            Panel("Submissions per commit", "short", _quantiles("leaderboard_submission_batch_size")),
            Panel(
                "Outcomes", "ops", [(_rate("leaderboard_submissions_total", "kind, outcome"), "{{kind}} {{outcome}}")]
            ),
            Panel(
                "Action tokens", "ops", [(_rate("leaderboard_action_token_requests_total", "outcome"), "{{outcome}}")]
            ),
            Panel(
                "Fraud detection",
                "ops",
                [
                    (_rate('leaderboard_fraud_verdicts_total{verdict!="accept"}', "verdict"), "{{verdict}}"),
                    (_rate("leaderboard_fraud_objections_total", "rule"), "{{rule}}"),
                    (_rate("leaderboard_replays_total"), "replays"),
                ],
            ),
        ],
    ),
    (
        "Live updates",
        [
            Panel("From commit to watcher", "s", _quantiles("leaderboard_watcher_lag_seconds")),
            Panel(
                "Sockets and streams",
                "short",
                [
                    ("sum by (instance) (leaderboard_sockets)", "sockets {{instance}}"),
                    ("sum by (instance) (leaderboard_streams)", "streams {{instance}}"),
                ],
            ),
            Panel("Closed sockets", "ops", [(_rate("leaderboard_sockets_closed_total", "code"), "{{code}}")]),
            Panel(
                "Messages",
                "ops",
                [
                    (_rate("leaderboard_socket_messages_sent_total"), "sent"),
                    (_rate("leaderboard_socket_messages_received_total"), "received"),
                    (_rate("leaderboard_frames_superseded_total"), "superseded"),
                ],
            ),
            Panel("Bytes sent", "Bps", [(_rate("leaderboard_socket_sent_bytes_total", "instance"), "{{instance}}")]),
            Panel("Clients that do not read", "ops", [(_rate("leaderboard_sockets_stalled_total"), "closed")]),
        ],
    ),
    (
        "Stores",
        [
            Panel(
                "PostgreSQL statements", "s", _quantiles("leaderboard_postgres_statement_duration_seconds", by="pool")
            ),
            Panel(
                "Connections in use",
                "percentunit",
                [
                    (
                        'sum by (pool) (leaderboard_postgres_pool_connections{state="used"})'
                        " / sum by (pool) (leaderboard_postgres_pool_max_connections)",
                        "{{pool}}",
                    )
                ],
            ),
            Panel(
                "Waiting for a connection", "short", [("sum by (pool) (leaderboard_postgres_pool_waiting)", "{{pool}}")]
            ),
            Panel("Redis calls", "s", _quantiles("leaderboard_redis_call_duration_seconds", by="caller")),
            Panel(
                "Failures",
                "ops",
                [
                    (_rate("leaderboard_redis_failures_total", "caller, kind"), "{{caller}} {{kind}}"),
                    (_rate("leaderboard_postgres_failures_total", "pool, kind"), "{{pool}} {{kind}}"),
                ],
            ),
            Panel(
                "Memory of Redis",
                "bytes",
                [
                    ("max(leaderboard_redis_memory_used_bytes)", "used"),
                    ("max(leaderboard_redis_memory_max_bytes)", "maxmemory"),
                ],
            ),
            Panel(
                "Reads of boards by store",
                "ops",
                [(_rate("leaderboard_board_store_reads_total", "store"), "{{store}}")],
            ),
            Panel(
                "Age of backups",
                "s",
                [("time() - max by (kind) (leaderboard_backup_last_success_timestamp_seconds)", "{{kind}}")],
            ),
            Panel("Lag of replicas", "s", [("max by (replica) (leaderboard_replica_lag_seconds)", "{{replica}}")]),
            Panel(
                "Reconciliation",
                "short",
                [
                    ("sum(increase(leaderboard_reconcile_rows_corrected_total[1h]))", "rows corrected"),
                    ("sum(increase(leaderboard_reconcile_strays_removed_total[1h]))", "strays removed"),
                    ("max(leaderboard_board_index_incomplete)", "incomplete categories"),
                ],
            ),
        ],
    ),
    (
        "Processes",
        [
            Panel("Event loop", "s", _quantiles("leaderboard_event_loop_lag_seconds", by="instance")),
            Panel("Resident memory", "bytes", [("process_resident_memory_bytes", "{{instance}} {{worker}}")]),
            Panel(
                "CPU",
                "percentunit",
                [("rate(process_cpu_seconds_total[$__rate_interval])", "{{instance}} {{worker}}")],
            ),
            Panel("Jobs", "s", _quantiles("leaderboard_job_duration_seconds", by="job_name")),
            Panel(
                "Failed jobs",
                "short",
                [("increase(leaderboard_job_failures_total[1h]) > 0", "{{instance}} {{job_name}}")],
            ),
            Panel("Leader", "short", [("leaderboard_jobs_leader", "{{instance}} {{worker}}")]),
        ],
    ),
)


def dashboard() -> dict[str, Any]:
    """Return the dashboard, as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS:
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "panels": [],
                "gridPos": {"x": 0, "y": top, "w": 24, "h": 1},
            }
        )
        top += 1
        for index, panel in enumerate(row):
            place = {
                "x": index % PANELS_PER_ROW * WIDTH,
                "y": top + index // PANELS_PER_ROW * HEIGHT,
                "w": WIDTH,
                "h": HEIGHT,
            }
            panels.append(_graph(len(panels) + 1, panel, place))
        top += -(-len(row) // PANELS_PER_ROW) * HEIGHT
    return {
        "uid": "leaderboard",
        "title": "Leaderboard",
        "tags": ["leaderboard"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": panels,
    }


def _graph(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": query, "legendFormat": legend, "datasource": source}
            for index, (query, legend) in enumerate(panel.queries)
        ],
    }
