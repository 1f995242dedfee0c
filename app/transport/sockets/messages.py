"""The messages of clients, decoded and checked."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from app.transport.errors import BadRequest
from app.transport.parameters import Parameters, parameters_of

MAX_ID_LENGTH = 256
"""In characters. Every message repeats the id of its operation, so ids are bounded."""


class InvalidMessage(Exception):
    """The message violates the protocol. The text says how, for the developer of the client."""


class ConnectionInit(NamedTuple):
    """The first message, with the access token in its payload."""

    payload: dict[str, Any]


class Subscribe(NamedTuple):
    """The start of an operation of any kind."""

    id: str
    request: Parameters


class Complete(NamedTuple):
    """The cancellation of an operation."""

    id: str


class Ping(NamedTuple):
    """A ping of the subprotocol, to be answered by a pong."""


class Pong(NamedTuple):
    """A pong of the subprotocol."""


ClientMessage = ConnectionInit | Subscribe | Complete | Ping | Pong


def decode(text: bytes) -> ClientMessage:
    """Decode a message, ignoring unknown keys. Raises InvalidMessage when it violates the protocol."""
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
    except BadRequest as error:
        raise InvalidMessage(error.message) from None
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
