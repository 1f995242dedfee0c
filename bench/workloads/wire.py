"""Encode requests and frames as bytes before a measurement starts."""

from __future__ import annotations

import json
from typing import Any

OPENING = (
    b"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def post(query: str, variables: dict[str, Any], access_token: str) -> bytes:
    """Return a GraphQL operation as an HTTP request on a connection that is kept alive."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    head = (
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        "Accept: application/graphql-response+json,application/json;q=0.9\r\nUser-Agent: bench\r\n"
        f"Authorization: Bearer {access_token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def message(kind: str, id: str | None = None, payload: dict[str, Any] | None = None) -> bytes:
    """Return a message of graphql-transport-ws as a frame."""
    members = {"id": id, "type": kind, "payload": payload}
    return frame(TEXT, json.dumps({name: value for name, value in members.items() if value is not None}).encode())


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a final frame, masked with zeros; frames of clients must be masked."""
    length = len(payload)
    if length < 126:
        return bytes((0x80 | opcode, 0x80 | length)) + bytes(4) + payload
    return bytes((0x80 | opcode, 0x80 | 126)) + length.to_bytes(2, "big") + bytes(4) + payload


def split_frame(buffer: bytes) -> tuple[int, bytes, int] | None:
    """Return opcode and payload of the first frame and the offset of the next; None if the frame is incomplete."""
    if len(buffer) < 2:
        return None
    length, start = buffer[1] & 127, 2
    if length >= 126:
        start = 4 if length == 126 else 10
        length = int.from_bytes(buffer[2:start], "big")
    if len(buffer) < start + length:
        return None
    return buffer[0] & 15, buffer[start : start + length], start + length
