"""Run instances of one installation as separate processes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.config import Settings
from tests.support.wait_until import TIMEOUT


@dataclass
class Instance:
    """A running instance and its URL."""

    process: asyncio.subprocess.Process
    address: str


@asynccontextmanager
async def instance_of(
    settings: Settings, *, start_timeout: float = 120, program: str = "service_instance", **environment: str
) -> AsyncIterator[Instance]:
    """Run an instance with the stores of `settings` and further variables during the block.

    `program` is the module in this folder that it runs.

    Raises:
        TimeoutError: It is not ready within `start_timeout` seconds.
    """
    given = {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "REDIS_PREFIX": settings.redis_prefix,
        "RATE_LIMIT_ENABLED": "false",
        "DB_POOL_MIN": "2",
        "DB_POOL_MAX": "20",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"tests.support.processes.{program}",
        env=os.environ | given | environment,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(start_timeout):
            address = (await process.stdout.readline()).decode().strip()
        yield Instance(process, address)
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), TIMEOUT)
