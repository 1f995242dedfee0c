"""The cheap checks, which every start of a server makes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from app.cli.doctor.findings import Check, Finding, Status, run_checks
from app.cli.doctor.postgresql import PostgresChecks
from app.cli.doctor.settings import check_settings
from app.cli.process.descriptors import raise_descriptor_limit
from app.cli.terminal.errors import print_error
from app.config import Settings
from app.runtime import Runtime
from app.wiring.stores import open_database, open_replicas

START_TIMEOUT = 3.0
"""Seconds that a check may take."""


def warn_at_start(settings: Settings) -> None:
    """Raise the limit of open files, and print a line for each problem that can be seen at once."""
    raise_descriptor_limit()
    for finding in [*check_settings(settings), *asyncio.run(_check_connections(settings))]:
        if finding.status is not Status.OK:
            print_error(f"{finding.check}: {finding.text}; {finding.advice}")


async def _check_connections(settings: Settings) -> list[Finding]:
    runtime = Runtime()
    async with AsyncExitStack() as stack:
        database = open_database(settings.model_copy(update={"db_pool_max": 1}), runtime, stack)
        checks = PostgresChecks(settings, database, open_replicas(settings, database, runtime, stack), runtime)
        check = Check("PostgreSQL connections", checks.connections, "check DATABASE_URL")
        return [finding async for finding in run_checks([check], timeout=START_TIMEOUT)]
