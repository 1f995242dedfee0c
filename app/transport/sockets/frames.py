"""Messages to clients, encoded as WebSocket frames."""

from __future__ import annotations

import orjson

from app.transport.multiplexing.payload import text_header


def text_frame(text: bytes) -> bytes:
    """Return one unfragmented, unmasked text frame."""
    return text_header(len(text)) + text


ACK_FRAME = text_frame(b'{"type":"connection_ack"}')
PONG_FRAME = text_frame(b'{"type":"pong"}')


def next_prefix(operation_id: str) -> bytes:
    """Return the bytes before the payload in every `next` message of an operation."""
    return b'{"id":' + orjson.dumps(operation_id) + b',"type":"next","payload":'


def error_frame(operation_id: str, body: bytes) -> bytes:
    """Return the `error` message for an encoded response that has `errors` and nothing else."""
    errors = body.removeprefix(b'{"errors":')[:-1]
    return text_frame(b'{"id":' + orjson.dumps(operation_id) + b',"type":"error","payload":' + errors + b"}")


def complete_frame(operation_id: str) -> bytes:
    """Return the `complete` message of an operation."""
    return text_frame(b'{"id":' + orjson.dumps(operation_id) + b',"type":"complete"}')
