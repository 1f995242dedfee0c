"""The parameters of a GraphQL request, from a JSON body, a query string or a socket message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson

from app.transport.errors import BadRequest

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# The names that must not be repeated: a filter in front of us may read the first, and we the last.
QUOTED_NAMES = (b'"query"', b'"operationName"', b'"variables"', b'"extensions"', b'"documentId"')

MAX_STRICT_BRACKETS = 4000
"""The number of `[` and `{` in a body that is parsed strictly, which costs a call for each object."""

# A GraphQL request has fewer, and parsing each costs time.
MAX_PARAMETERS = 32


class Parameters(NamedTuple):
    """A well-formed request. Its document is not parsed yet, and `query` may be missing."""

    query: str | None = None
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None
    document_id: str | None = None


def parameters_of(members: object) -> Parameters:
    """Check the members of a request. Unknown ones are ignored. Raises BadRequest (400)."""
    if type(members) is not dict:
        if isinstance(members, list):
            raise BadRequest(400, "Batching is not supported: send one operation per request.")
        raise BadRequest(400, "A GraphQL request must be a JSON object.")
    query = members.get("query")
    if query is not None and type(query) is not str:
        raise BadRequest(400, "'query' must be a string.")
    name = members.get("operationName")
    if name is not None and type(name) is not str:
        raise BadRequest(400, "'operationName' must be a string.")
    name = name or None  # Some clients send "" for an operation without a name, and no operation can have that name.
    variables = members.get("variables")
    if variables is not None and type(variables) is not dict:
        raise BadRequest(400, "'variables' must be an object.")
    extensions = members.get("extensions")
    if extensions is not None and type(extensions) is not dict:
        raise BadRequest(400, "'extensions' must be an object.")
    document_id = members.get("documentId")
    if document_id is not None and type(document_id) is not str:
        raise BadRequest(400, "'documentId' must be a string.")
    return Parameters(query, name, variables, extensions, document_id)


def parameters_of_json(body: bytes) -> Parameters:
    """Read a POST body: UTF-8 JSON, with or without byte order mark. Raises BadRequest (400)."""
    # A byte order mark is against RFC 8259, which nonetheless lets receivers ignore it.
    body = body.removeprefix(BYTE_ORDER_MARK)
    if not body:
        raise BadRequest(400, "The body must not be empty.")
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequest(400, "The body must be valid JSON in UTF-8.") from None
    # orjson silently keeps the last of repeated names. Only a body that may repeat one is parsed again, strictly.
    if b"\\u" in body or any(body.count(name) > 1 for name in QUOTED_NAMES):
        _refuse_repeated_names(body)
    return parameters_of(members)


def _refuse_repeated_names(body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") > MAX_STRICT_BRACKETS:
        raise BadRequest(400, f"The body must have at most {MAX_STRICT_BRACKETS} lists and objects.")
    try:
        json.loads(body, object_pairs_hook=_once)
    except RecursionError:
        raise BadRequest(400, "The body is nested too deeply.") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise BadRequest(400, "The body must not repeat a name within one object.")
    return members


def parameters_of_query_string(raw: bytes) -> Parameters:
    """Read a GET request. A parameter with an empty value counts as absent. Raises BadRequest (400)."""
    try:
        pairs = parse_qsl(raw.decode("ascii"), errors="strict", max_num_fields=MAX_PARAMETERS)
    except UnicodeDecodeError:
        raise BadRequest(400, "The query string must be percent-encoded UTF-8.") from None
    except ValueError:
        raise BadRequest(400, "The query string has too many parameters.") from None
    given = dict(pairs)
    if len(given) < len(pairs):
        raise BadRequest(400, "The query string must not repeat a parameter.")
    members: dict[str, object] = dict(given)
    members.update((name, _json(name, given)) for name in ("variables", "extensions") if name in given)
    return parameters_of(members)


def _json(name: str, given: Mapping[str, str]) -> object:
    try:
        return orjson.loads(given[name])
    except orjson.JSONDecodeError:
        raise BadRequest(400, f"'{name}' must be valid JSON.") from None
