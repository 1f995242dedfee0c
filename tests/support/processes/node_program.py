"""Run programs in Node that print one JSON object per line."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.wait_until import TIMEOUT

Line = dict[str, Any]


class NodeProgram:
    """A running program; `lines` are those that were read so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[Line] = []

    async def line(self, condition: Callable[[Line], object]) -> Line:
        """Read until a line meets `condition`, and return it.

        Raises:
            AssertionError: The program ended without such a line.
        """
        assert self._process.stdout is not None
        async with asyncio.timeout(TIMEOUT):
            while text := await self._process.stdout.readline():
                self.lines.append(json.loads(text))
                if condition(self.lines[-1]):
                    return self.lines[-1]
        raise AssertionError(f"the program ended after {self.lines}")

    async def live(self, transport: str) -> None:
        """Read until the program reports that a value is kept current over `transport`."""
        await self.line(lambda line: line.get("connection") == {"state": "live", "transport": transport})

    async def end(self) -> list[Line]:
        """Read until the program ends, which must be successful, and return all lines."""
        assert self._process.stdout is not None
        async with asyncio.timeout(TIMEOUT):
            async for text in self._process.stdout:
                self.lines.append(json.loads(text))
            assert await self._process.wait() == 0
        return self.lines


@asynccontextmanager
async def node_program(path: Path, **options: Any) -> AsyncIterator[NodeProgram]:
    """Run a program with `options` as JSON during the block; it is killed at the end."""
    # Node 20 has sockets behind a flag; later ones ignore it.
    command = ("node", "--experimental-websocket", "--no-warnings", str(path), json.dumps(options))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=dict(os.environ))
    try:
        yield NodeProgram(process)
    finally:
        if process.returncode is None:
            process.kill()
        await asyncio.wait_for(process.wait(), TIMEOUT)
