"""A NATS server with JetStream, which a test may kill and start again with its data."""

from __future__ import annotations

import asyncio
import shutil
import socket
from pathlib import Path

from tests.support.wait_until import TIMEOUT, until_answer

PROGRAM = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")


class NatsServer:
    """A server on this machine; its data is in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self._port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        assert PROGRAM is not None
        self._process = await asyncio.create_subprocess_exec(
            PROGRAM, "-js", "-a", "127.0.0.1", "-p", str(self._port), "-sd", str(self._folder),
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await until_answer(self._accepts, bool)

    async def kill(self) -> None:
        """Kill it."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await asyncio.wait_for(self._process.wait(), TIMEOUT)

    async def _accepts(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        writer.close()
        return True
