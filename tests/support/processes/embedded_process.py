"""Another program that uses the private servers of a folder, as a process of its own."""

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
# Not print: the signal may come in the middle of one.
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"interrupted\\n"))
try:
    with open_stores(Path(sys.argv[1])) as stores:
        print(json.dumps(vars(stores)), flush=True)
        sys.stdin.readline()
except EmbeddedError as error:
    print(json.dumps({"error": str(error)}), flush=True)
"""


class Program:
    """Another program that uses the stores of a folder until `leave`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(
        cls,
        data: Path,
        python: str = sys.executable,
        environment: Mapping[str, str] | None = None,
        account: OsUser | None = None,
    ) -> Program:
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
            # As in a terminal: a signal to the group reaches everything that stayed in the group.
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=() if account else None,
        )
        return cls(process)

    async def line(self) -> str:
        assert self.process.stdout is not None
        return (await asyncio.wait_for(self.process.stdout.readline(), 30)).decode().strip()

    async def answer(self) -> dict[str, str]:
        answer: dict[str, str] = json.loads(await self.line())
        return answer

    async def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        await asyncio.wait_for(self.process.wait(), 30)


def processes(data: Path) -> list[int]:
    """The keeper and the PostgreSQL server of a folder; both name it in their command line."""
    return list(command_lines(data))


def command_lines(data: Path) -> dict[int, str]:
    """The command line of each of `processes`."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(data) in line and PROGRAM not in line:
                    found[int(entry.name)] = line
    return found
