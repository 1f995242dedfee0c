"""Run the command line as a separate process, as a user does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from app.config import Settings

PROGRAM = (sys.executable, "-m", "app.cli")
CHECKOUT = Path(__file__).resolve().parents[3]

PASSED_ON = ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_CONFIG", "COVERAGE_FILE")
"""The variables that a program of a test gets from the test's environment; the last two are set by `make coverage`."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


def environment(settings: Settings | None = None, **more: str) -> dict[str, str]:
    """Return the environment of a command on the stores of `settings`, or without stores."""
    variables = {name: value for name, value in os.environ.items() if name in PASSED_ON}
    variables |= {"PYTHONPATH": str(CHECKOUT), "COLUMNS": "120", "PYTHONIOENCODING": "utf-8"}
    if settings is not None:
        variables |= {
            "DATABASE_URL": str(settings.database_url),
            "REDIS_URL": str(settings.redis_url),
            "REDIS_PREFIX": settings.redis_prefix,
            "DB_POOL_MIN": "1",
            "RATE_LIMIT_ENABLED": str(settings.rate_limit_enabled),
        }
    return variables | more


async def run(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None, timeout: float = 50
) -> CommandResult:
    """Run a command to its end."""
    process = await start(*arguments, env=env, cwd=cwd)
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout)
    finally:
        await kill(process)
    assert process.returncode is not None
    return CommandResult(process.returncode, out.decode(), err.decode())


async def start(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> asyncio.subprocess.Process:
    """Start a command in a process group of its own, as a shell does."""
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *PROGRAM,
        *arguments,
        env=env if env is not None else environment(),
        cwd=cwd or "/",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        start_new_session=True,
    )


async def kill(process: asyncio.subprocess.Process) -> None:
    """Kill the process and its group, if it is still running."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def line_with(stream: asyncio.StreamReader | None, text: str, timeout: float = 50) -> str:
    """Return the next line that contains `text`.

    Raises:
        AssertionError: The stream ended before.
        TimeoutError: There was none within `timeout` seconds.
    """
    assert stream is not None
    seen = b""
    async with asyncio.timeout(timeout):
        while line := await stream.readline():
            seen += line
            if text in line.decode():
                return line.decode()
    raise AssertionError(f"{text!r} is not in: {seen.decode()}")


def workers_of(pid: int) -> list[int]:
    """Return the ids of the worker processes of a server."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    """Return whether a process is running; a zombie is not."""
    status = _status(pid, "stat")
    return status != "" and status.rpartition(")")[2].split()[0] != "Z"


def _status(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""
