"""Metrics of the process and its background work: jobs, supervision, the event loop."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from app.telemetry.metrics.registry import Metric, counter, gauge, histogram
from app.wiring import App


def background_metrics(app: App) -> Sequence[Metric]:
    """Return the metrics of the process and its background work."""
    build = (version("leaderboard"), app.settings.environment.value)
    return [
        gauge("build_info", "Always 1; its labels tell what runs.", lambda: {build: 1}, "version", "environment"),
        histogram(
            "event_loop_lag_seconds",
            "How late the event loop runs what is due, measured ten times a second.",
            lambda: app.event_loop_lag.seconds,
        ),
        counter(
            "background_failures",
            "How often background work had to be started again.",
            lambda: {(work.name,): work.failures for work in app.supervisor.works},
            "work",
        ),
        *_job_metrics(app),
    ]


def _job_metrics(app: App) -> Sequence[Metric]:
    states = app.jobs.states
    return [
        gauge("jobs_leader", "1 on the instance that runs the jobs.", lambda: app.jobs.is_leader),
        counter(
            "job_runs",
            "Runs of a job on this instance that ended, whatever their outcome.",
            lambda: {(name,): state.runs for name, state in states.items()},
            "job_name",
        ),
        counter(
            "job_failures",
            "Runs of a job on this instance that failed, timed out or were postponed.",
            lambda: {(name,): state.failures for name, state in states.items()},
            "job_name",
        ),
        gauge(
            "job_running",
            "1 while the job runs on this instance.",
            lambda: {(name,): state.running for name, state in states.items()},
            "job_name",
        ),
        gauge(
            "job_interval_seconds",
            "Time between two runs of a job.",
            lambda: {(job.name,): job.interval for job in app.jobs.all},
            "job_name",
        ),
        gauge(
            "job_last_success_timestamp_seconds",
            "When a run of the job last succeeded on this instance, in Unix time; absent before the first success.",
            lambda: {(name,): state.last_success.timestamp() for name, state in states.items() if state.last_success},
            "job_name",
        ),
        gauge(
            "job_last_duration_seconds",
            "How long the last run of the job on this instance took; absent before the first run.",
            lambda: {(name,): state.last_duration for name, state in states.items() if state.last_duration is not None},
            "job_name",
        ),
        histogram(
            "job_duration_seconds",
            "Time of the runs of a job on this instance.",
            lambda: {(name,): state.durations for name, state in states.items() if state.runs},
            "job_name",
        ),
    ]
