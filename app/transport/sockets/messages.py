"""What clients may say on a socket, checked."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from app.transport.errors import BadRequest
from app.transport.parameters import Parameters, parameters_of

MAX_ID_LENGTH = 256
"""The longest operation id in characters. An id is repeated in every message, so it is bounded."""


class InvalidMessage(Exception):
    """The message breaks the protocol. The text says how, in words for the client's developer."""


class ConnectionInit(NamedTuple):
    payload: dict[str, Any]


class Subscribe(NamedTuple):
    id: str
    request: Parameters


class Complete(NamedTuple):
    id: str


class Ping(NamedTuple):
    pass


class Pong(NamedTuple):
    pass


ClientMessage = ConnectionInit | Subscribe | Complete | Ping | Pong


def decode(text: bytes) -> ClientMessage:
    """The message in `text`. Raises InvalidMessage for anything the protocol does not know; unknown keys may be."""
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidMessage("The message must be JSON") from None
    if type(message) is not dict:
        raise InvalidMessage("The message must be an object")
    match message.get("type"):
        case "subscribe":
            return _subscribe(message)
        case "complete":
            return Complete(_id(message))
        case "connection_init":
            return ConnectionInit(_payload(message))
        case "ping":
            _payload(message)
            return Ping()
        case "pong":
            _payload(message)
            return Pong()
    raise InvalidMessage("The message must have a known type")


def _subscribe(message: dict[str, Any]) -> Subscribe:
    operation_id = _id(message)
    try:
        request = parameters_of(message.get("payload"))
    except BadRequest as problem:
        raise InvalidMessage(problem.message) from None
    if request.query is None and request.document_id is None and not request.extensions:
        raise InvalidMessage("'query' must be a string.")
    return Subscribe(operation_id, request)


def _id(message: dict[str, Any]) -> str:
    operation_id = message.get("id")
    if type(operation_id) is not str or not 0 < len(operation_id) <= MAX_ID_LENGTH:
        raise InvalidMessage(f"id must be a string of 1 to {MAX_ID_LENGTH} characters")
    return operation_id


def _payload(message: dict[str, Any]) -> dict[str, Any]:
    payload = message.get("payload")
    if payload is None:
        return {}
    if type(payload) is not dict:
        raise InvalidMessage("payload must be an object")
    return payload
