"""The result of one execution, and its bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import GraphQLError

from app.execution.request_error import RequestError

FormatError = Callable[[GraphQLError], dict[str, Any]]


def format_by_specification(error: GraphQLError) -> dict[str, Any]:
    """The error as the specification formats it."""
    return dict(error.formatted)


@dataclass(slots=True, eq=False)
class Response:
    """What one execution produced.

    `data` is None when an error reached the root. `has_data` is False when there was no execution
    at all; such a response has no `data` entry on the wire.
    """

    data: dict[str, Any] | None
    errors: list[GraphQLError] = field(default_factory=list)
    has_data: bool = True

    @classmethod
    def of(cls, request_error: RequestError) -> Response:
        """The response to a refused request."""
        return cls(None, list(request_error.errors), has_data=False)


def encode(response: Response, format_error: FormatError) -> bytes:
    """The response as UTF-8 JSON.

    Raises TypeError when a custom scalar serialised to something JSON cannot hold.
    """
    body: dict[str, Any] = {}
    if response.has_data:
        body["data"] = response.data
    if response.errors:
        body["errors"] = [format_error(error) for error in response.errors]
    try:
        return orjson.dumps(body)
    except TypeError:
        # Lone surrogates, integers beyond 64 bits and keys that are no strings: all legal in the
        # JSON of the standard library, and rare enough to pay for it here.
        return json.dumps(body, separators=(",", ":")).encode()
