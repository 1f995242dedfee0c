"""Reading a request body within bounds of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.types import Receive

from app.transport.errors import BadRequest, ClientDisconnected

# The rest of such a body is not worth reading, and nothing after it can be trusted to be a new request.
CLOSE = ((b"connection", b"close"),)


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], *, most: int, seconds: float) -> bytes:
    """The whole body, at most `most` bytes, within `seconds`.

    Raises MalformedRequest with 413 or 408, the former as early as `Content-Length` or the chunks so far
    tell, and ClientGone when the client leaves first.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > most:
        raise _too_large(most)
    try:
        async with asyncio.timeout(seconds):
            return await _joined(receive, most)
    except TimeoutError:
        raise BadRequest(408, f"The body took longer than {seconds:g} s to arrive.", CLOSE) from None


async def _joined(receive: Receive, most: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        if not message.get("more_body", False):
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)


def _too_large(most: int) -> BadRequest:
    return BadRequest(413, f"The body is larger than {most} bytes.", CLOSE)
