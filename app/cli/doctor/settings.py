"""Checks of the settings and of this machine, which need no store."""

from __future__ import annotations

import importlib.metadata
import platform
import resource
from collections.abc import Iterator

from app.cli.doctor.findings import Finding, ok, problem, warning
from app.config import Settings, unknown_settings
from app.stores.redis_clients import MAX_CONNECTIONS as REDIS_CONNECTIONS

REDIS_POOLS = 6
"""Clients of Redis of one process: commands, bulk reads, housekeeping and channels."""

OTHER_DESCRIPTORS = 100
"""Descriptors that a process needs besides its connections."""


def postgres_connections(settings: Settings) -> int:
    """Return how many connections to the primary all processes of an instance may open."""
    return settings.workers * (settings.db_pool_max + 2 * settings.db_expensive_pool_max)


def check_environment() -> Iterator[Finding]:
    """State the versions, and check the names of variables."""
    yield ok("version", f"leaderboard {importlib.metadata.version('leaderboard')}, Python {platform.python_version()}")
    unknown = unknown_settings()
    for name, advice in unknown.items():
        yield warning("environment", f"{name} has no effect", advice)
    if not unknown:
        yield ok("environment", "no variable looks like a misspelt setting")


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Check combinations of settings, and the limit of open files."""
    yield from _combinations(settings)
    yield _descriptors(settings)


def _combinations(settings: Settings) -> Iterator[Finding]:
    check = "settings"
    found = []
    if settings.db_timeout >= settings.request_timeout:
        found.append(
            warning(check, "a statement may take longer than a request", "DB_TIMEOUT should be below REQUEST_TIMEOUT")
        )
    if settings.redis_timeout >= settings.db_timeout:
        found.append(
            warning(
                check,
                "waiting for Redis may take as long as reading from PostgreSQL instead",
                "REDIS_TIMEOUT should be below DB_TIMEOUT",
            )
        )
    if settings.ws_heartbeat_timeout >= settings.ws_heartbeat_interval:
        found.append(
            warning(
                check,
                "a ping is sent before the one before it is overdue",
                "WS_HEARTBEAT_TIMEOUT should be below WS_HEARTBEAT_INTERVAL",
            )
        )
    if settings.is_production:
        if not settings.rate_limit_enabled:
            found.append(warning(check, "there are no rate limits", "set RATE_LIMIT_ENABLED=true in production"))
        if not set(settings.allowed_hosts) - {"localhost", "127.0.0.1", "[::1]"}:
            found.append(
                warning(check, "only this machine is served", "ALLOWED_HOSTS must contain the names that clients use")
            )
        if not settings.trusted_proxies:
            found.append(
                warning(
                    check,
                    "behind a load balancer all clients would share its address and its limits",
                    "set TRUSTED_PROXIES to the addresses of the load balancers, if there are any",
                )
            )
        if "*" in settings.allowed_origins:
            found.append(
                warning(check, "pages of every origin may use the API", "set ALLOWED_ORIGINS to those of your pages")
            )
    yield from found or [ok(check, "the settings agree with each other")]


def _descriptors(settings: Settings) -> Finding:
    check = "open files"
    needed = (
        settings.ws_max_connections
        + settings.max_streams
        + postgres_connections(settings) // settings.workers
        + REDIS_POOLS * REDIS_CONNECTIONS
        + OTHER_DESCRIPTORS
    )
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= needed:
        return ok(check, f"a process may open {'any number of' if limit == resource.RLIM_INFINITY else limit} files")
    return warning(
        check,
        f"a process may open {limit} files, and needs up to {needed}: further connections would be reset",
        f"raise the limit (`ulimit -Hn {needed}`, LimitNOFILE=, ulimits), or lower WS_MAX_CONNECTIONS",
    )


def settings_problems(problems: list[str]) -> list[Finding]:
    """Return the problems that keep the settings from being loaded."""
    return [problem("settings", text, "correct the setting: .env.example describes all of them") for text in problems]
