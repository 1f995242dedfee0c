"""Commands, as an operator types them, on the stores of a test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from app.cli.program import run
from app.config import Settings

Leaderboard = Callable[..., Awaitable[int]]


@pytest.fixture
def leaderboard(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Leaderboard:
    """Run a command in an empty folder, on the stores of the test, and return its exit code."""
    monkeypatch.chdir(tmp_path)
    environment = {
        "REDIS_URL": settings.redis_url,
        "REDIS_PREFIX": settings.redis_prefix,
        "DATABASE_URL": settings.database_url,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))

    async def command(*arguments: object) -> int:
        return await asyncio.to_thread(run, [str(argument) for argument in arguments])

    return command
