"""A Redis whose version is too old."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

VERSION = "6.2.14"


@asynccontextmanager
async def old_redis(port: int = 0) -> AsyncIterator[str]:
    """Answer like Redis 6.2 to a client that requests the version; yield the URL. Port 0 chooses a free port."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(OSError):
            await _answer(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while head := await reader.readline():
        command = [await _word(reader) for _ in range(int(head[1:]))]
        match command[0].upper():
            case b"HELLO":
                writer.write(b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n")
            case b"INFO":
                facts = f"# Server\r\nredis_version:{VERSION}\r\nrun_id:{'0' * 40}\r\n".encode()
                writer.write(b"$%d\r\n%s\r\n" % (len(facts), facts))
            case b"PING":
                writer.write(b"+PONG\r\n")
            case name:
                writer.write(b"-ERR unknown command `%s`\r\n" % name)
        await writer.drain()


async def _word(reader: asyncio.StreamReader) -> bytes:
    length = int((await reader.readline())[1:])
    return (await reader.readexactly(length + 2))[:-2]
