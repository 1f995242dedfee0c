"""Messages to clients as WebSocket frames, ready to be written to a transport."""

from __future__ import annotations

import orjson

TEXT_AND_FINAL = 0x81


def _header(length: int) -> bytes:
    if length < 126:
        return bytes((TEXT_AND_FINAL, length))
    if length < 65536:
        return bytes((TEXT_AND_FINAL, 126)) + length.to_bytes(2, "big")
    return bytes((TEXT_AND_FINAL, 127)) + length.to_bytes(8, "big")


def text_frame(text: bytes) -> bytes:
    """One unfragmented, unmasked text frame."""
    return _header(len(text)) + text


ACK = text_frame(b'{"type":"connection_ack"}')
PONG = text_frame(b'{"type":"pong"}')


def next_prefix(operation_id: str) -> bytes:
    """What comes before the payload in every `next` message of an operation."""
    return b'{"id":' + orjson.dumps(operation_id) + b',"type":"next","payload":'


def error_frame(operation_id: str, body: bytes) -> bytes:
    """The `error` message of an operation whose encoded response is `body`, which has `errors` and nothing else."""
    errors = body.removeprefix(b'{"errors":')[:-1]
    return text_frame(b'{"id":' + orjson.dumps(operation_id) + b',"type":"error","payload":' + errors + b"}")


def complete_frame(operation_id: str) -> bytes:
    """The `complete` message of an operation."""
    return text_frame(b'{"id":' + orjson.dumps(operation_id) + b',"type":"complete"}')


class Payload:
    """One encoded execution result, made once for however many clients receive it.

    `opening` marks the first event of an execution: a snapshot, which must not be conflated away.
    """

    __slots__ = ("_headers", "_tail", "body", "opening")

    def __init__(self, body: bytes, *, opening: bool = False) -> None:
        self.body = body
        self.opening = opening
        self._tail = body + b"}"
        self._headers: dict[int, bytes] = {}

    def frame(self, prefix: bytes) -> bytes:
        """The `next` message of the operation that `prefix` was made for.

        The header depends on the length alone, and ids are mostly of one length, so it is made once per length.
        """
        length = len(prefix)
        header = self._headers.get(length)
        if header is None:
            header = self._headers[length] = _header(length + len(self._tail))
        return b"".join((header, prefix, self._tail))


def conflate(owed: tuple[Payload, ...], payload: Payload) -> tuple[Payload, ...]:
    """What is owed to a slow reader once `payload` is: the newest state, after the snapshot if that is still unsent."""
    if owed and owed[0].opening:
        return owed[0], payload
    return (payload,)
