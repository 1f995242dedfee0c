"""What clients may say on a socket, checked."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

ID_LENGTH = 256
"""The longest operation id in characters. An id is repeated in every message, so it is bounded."""


class InvalidMessage(Exception):
    """The message breaks the protocol. The text says how, in words for the client's developer."""


class ConnectionInit(NamedTuple):
    payload: dict[str, Any]


class Subscribe(NamedTuple):
    id: str
    query: str
    operation_name: str | None
    variables: dict[str, Any] | None


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
        raise InvalidMessage("The message is not JSON") from None
    if type(message) is not dict:
        raise InvalidMessage("The message is not an object")
    match message.get("type"):
        case "subscribe":
            return _subscribe(message)
        case "complete":
            return Complete(_id(message))
        case "connection_init":
            return ConnectionInit(_optional(message, "payload", dict) or {})
        case "ping":
            _optional(message, "payload", dict)
            return Ping()
        case "pong":
            _optional(message, "payload", dict)
            return Pong()
    raise InvalidMessage("The message has no known type")


def _subscribe(message: dict[str, Any]) -> Subscribe:
    operation_id = _id(message)
    payload = message.get("payload")
    if type(payload) is not dict:
        raise InvalidMessage("payload is not an object")
    query = payload.get("query")
    if type(query) is not str:
        raise InvalidMessage("query is not a string")
    name = _optional(payload, "operationName", str)
    variables = _optional(payload, "variables", dict)
    _optional(payload, "extensions", dict)
    return Subscribe(operation_id, query, name, variables)


def _id(message: dict[str, Any]) -> str:
    operation_id = message.get("id")
    if type(operation_id) is not str or not 0 < len(operation_id) <= ID_LENGTH:
        raise InvalidMessage(f"id is not a string of 1 to {ID_LENGTH} characters")
    return operation_id


def _optional(owner: dict[str, Any], key: str, kind: type) -> Any:
    value = owner.get(key)
    if value is not None and type(value) is not kind:
        raise InvalidMessage(f"{key} is not {'an object' if kind is dict else 'a string'}")
    return value
