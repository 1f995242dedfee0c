"""`leaderboard doctor`: check an installation."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.errors import FAILED
from app.cli.terminal.output import console, examples, print_result

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.cli.doctor.findings import Finding
    from app.config import Settings

MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "problem": "[bold red]✗[/]"}


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(epilog=examples("leaderboard doctor", "leaderboard doctor --json"))(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that each check may take.")] = 10,
) -> int:
    """Check this installation, and say what is wrong and what to do about it.

    It checks versions, settings and variables that look like settings, migrations, clocks, connections, advisory locks,
    replicas, memory and persistence of Redis, and whether key sets, webhooks and collectors answer. It changes
    nothing and can run while the service is busy. If there is a problem, it exits with code 1; warnings may be meant.
    """
    from app.cli.doctor.findings import Status
    from app.cli.doctor.settings import settings_problems
    from app.cli.process.stores import open_settings_with_stores
    from app.config import SettingsError
    from app.telemetry.logging import configure_logging

    configure_logging("CRITICAL", json=False)
    shown: list[Finding] = []

    def show(finding: Finding) -> None:
        shown.append(finding)
        if not as_json:
            _print(finding)

    try:
        with open_settings_with_stores() as settings:
            asyncio.run(_examine(settings, timeout, show))
    except SettingsError as error:
        for finding in settings_problems(error.problems):
            show(finding)
    counts = {status: sum(finding.status is status for finding in shown) for status in Status}
    if as_json:
        findings = [asdict(finding) for finding in shown]
        print_result(json.dumps({"ok": not counts[Status.PROBLEM], "findings": findings}, indent=2))
    else:
        print_result(f"Problems: {counts[Status.PROBLEM]}, warnings: {counts[Status.WARNING]}")
    return FAILED if counts[Status.PROBLEM] else 0


async def _examine(settings: Settings, timeout: float, show: Callable[[Finding], None]) -> None:
    import httpx2

    from app.cli.doctor.findings import run_checks
    from app.cli.doctor.postgresql import PostgresChecks
    from app.cli.doctor.redis import RedisChecks
    from app.cli.doctor.remote import RemoteChecks
    from app.cli.doctor.settings import check_environment, check_settings
    from app.runtime import Runtime
    from app.stores.redis_clients import open_client
    from app.wiring.stores import MIN_HOUSEKEEPING_TIMEOUT, open_database, open_replicas

    for finding in (*check_environment(), *check_settings(settings)):
        show(finding)
    runtime = Runtime()
    async with AsyncExitStack() as stack:
        database = open_database(settings, runtime, stack)
        replicas = open_replicas(settings, database, runtime, stack)
        redis = open_client(
            str(settings.redis_url), cluster=settings.redis_cluster_enabled, timeout=MIN_HOUSEKEEPING_TIMEOUT
        )
        stack.push_async_callback(redis.aclose)
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=timeout, follow_redirects=False))
        checks = [
            *PostgresChecks(settings, database, replicas, runtime).all(),
            *RedisChecks(settings, redis, runtime).all(),
            *RemoteChecks(settings, http, runtime).all(),
        ]
        async for finding in run_checks(checks, timeout=timeout):
            show(finding)


def _print(finding: Finding) -> None:
    from rich.markup import escape

    out = console()
    out.print(f"{MARKS[finding.status.value]} {escape(finding.check)}: {escape(finding.text)}", soft_wrap=True)
    if finding.advice:
        out.print(f"  [dim]→ {escape(finding.advice)}[/]", soft_wrap=True)
