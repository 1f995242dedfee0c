"""The result of one execution, and its encoding."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import GraphQLError

from app.execution.request_error import RequestError

FormatError = Callable[[GraphQLError], dict[str, Any]]


def format_by_specification(error: GraphQLError) -> dict[str, Any]:
    """Return the error as the specification formats it."""
    return dict(error.formatted)


@dataclass(slots=True, eq=False)
class Response:
    """The result of one execution.

    `data` is None when an error reached the root. `has_data` is False when nothing was executed; such a response has no
    `data` entry. `extensions` are left out when there are none. `event` is what the source of a subscription yielded.
    """

    data: dict[str, Any] | None
    errors: list[GraphQLError] = field(default_factory=list)
    has_data: bool = True
    extensions: Mapping[str, object] | None = None
    event: object = None

    @classmethod
    def of(cls, request_error: RequestError) -> Response:
        """Return the response to a refused request."""
        return cls(None, list(request_error.errors), has_data=False)


def encode(response: Response, format_error: FormatError) -> bytes:
    """Return the response as UTF-8 JSON.

    Raises:
        TypeError: A custom scalar serialised to a value that JSON cannot represent.
    """
    body: dict[str, Any] = {}
    if response.has_data:
        body["data"] = response.data
    if response.errors:
        body["errors"] = [format_error(error) for error in response.errors]
    if response.extensions:
        body["extensions"] = response.extensions
    try:
        return orjson.dumps(body)
    except TypeError:
        # Lone surrogates, integers beyond 64 bits and keys that are not strings, which the standard library encodes.
        return json.dumps(body, separators=(",", ":")).encode()
