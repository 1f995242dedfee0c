"""A Redis that is too old."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

VERSION = "6.2.14"


@asynccontextmanager
async def old_redis() -> AsyncIterator[str]:
    """Answer as Redis 6.2 does to a client that connects and asks for its version; yields the address."""
    async with await asyncio.start_server(_serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"redis://{host}:{port}/0"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while head := await reader.readline():
        command = [await _word(reader) for _ in range(int(head[1:]))]
        match command[0].upper():
            case b"HELLO":
                writer.write(b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n")
            case b"INFO":
                facts = f"# Server\r\nredis_version:{VERSION}\r\nrun_id:{'0' * 40}\r\n".encode()
                writer.write(b"$%d\r\n%s\r\n" % (len(facts), facts))
            case name:
                writer.write(b"-ERR unknown command `%s`\r\n" % name)
        await writer.drain()
    writer.close()


async def _word(reader: asyncio.StreamReader) -> bytes:
    length = int((await reader.readline())[1:])
    return (await reader.readexactly(length + 2))[:-2]
