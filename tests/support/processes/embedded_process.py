"""A program that uses the private servers of a folder, as a separate process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from app.embedded.os_user import OsUser

PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from app.embedded import EmbeddedError, open_stores
# Not print, which the signal may interrupt.
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"interrupted\\n"))
try:
    with open_stores(Path(sys.argv[1])) as stores:
        print(json.dumps(vars(stores)), flush=True)
        sys.stdin.readline()
except EmbeddedError as error:
    print(json.dumps({"error": str(error)}), flush=True)
"""


class Program:
    """A program that uses the stores of a folder until `close`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(
        cls,
        data: Path,
        python: str = sys.executable,
        environment: Mapping[str, str] | None = None,
        os_user: OsUser | None = None,
    ) -> Program:
        """Start a program on the folder `data`, by default with this Python and as the current user."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            python,
            "-c",
            PROGRAM,
            str(data),
            stdin=pipe,
            stdout=pipe,
            cwd="/",
            env=environment,
            # As in a terminal: a signal to the group reaches every process that is still in the group.
            start_new_session=True,
            user=os_user.uid if os_user else None,
            group=os_user.gid if os_user else None,
            extra_groups=() if os_user else None,
        )
        return cls(process)

    async def line(self) -> str:
        """Return the next line that the program prints."""
        assert self.process.stdout is not None
        return (await asyncio.wait_for(self.process.stdout.readline(), 30)).decode().strip()

    async def urls(self) -> dict[str, str]:
        """Return the fields of its `Stores`, or `error`."""
        urls: dict[str, str] = json.loads(await self.line())
        return urls

    async def close(self) -> None:
        """Make the program close its stores, and wait for its end."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        await asyncio.wait_for(self.process.wait(), 30)


def processes(data: Path) -> list[int]:
    """Return the ids of the daemon and the PostgreSQL server of a folder, which is in their command lines."""
    return list(command_lines(data))


def command_lines(data: Path) -> dict[int, str]:
    """Return the command line of each of `processes`, by process id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(data) in line and PROGRAM not in line:
                    found[int(entry.name)] = line
    return found
