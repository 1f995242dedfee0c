"""The reading of request bodies, within limits of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.types import Receive

from app.transport.errors import BadRequest, ClientDisconnected

# The rest of such a body is not read, so nothing after it can be trusted to be a new request.
CLOSE_CONNECTION = ((b"connection", b"close"),)


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], *, max_bytes: int, timeout: float) -> bytes:
    """Read the whole body.

    Raises:
        BadRequest: With 413 for more than `max_bytes`, as early as `Content-Length` or the chunks so far tell, or with
            408 for a body that takes more than `timeout` seconds.
        ClientDisconnected: The client left first.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > max_bytes:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(timeout):
            return await _read_chunks(receive, max_bytes)
    except TimeoutError:
        raise BadRequest(408, f"The body took longer than {timeout:g} s to arrive.", CLOSE_CONNECTION) from None


async def _read_chunks(receive: Receive, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        if not message.get("more_body", False):
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)


def _too_large(max_bytes: int) -> BadRequest:
    return BadRequest(413, f"The body must be at most {max_bytes} bytes.", CLOSE_CONNECTION)
