"""Content negotiation by the `Accept` header (GraphQL over HTTP, graphql-sse, Apollo multipart)."""

from __future__ import annotations

from typing import NamedTuple

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
MULTIPART = "multipart/mixed"


class AcceptedMediaTypes(NamedTuple):
    """The best media type for a single result and the best one for a stream of results; None where none is acceptable.

    A single result can also be sent as a stream of one, for a client that accepts nothing else.
    """

    result: str | None
    stream: str | None


# A client without `Accept` gets the media type from before the standard.
DEFAULT_ACCEPTED = AcceptedMediaTypes(JSON, None)

# The values of nearly every request, so that few are parsed.
COMMON_ACCEPTED: dict[bytes, AcceptedMediaTypes] = {
    b"": DEFAULT_ACCEPTED,
    b"*/*": DEFAULT_ACCEPTED,
    b"application/json": DEFAULT_ACCEPTED,
    b"application/graphql-response+json": AcceptedMediaTypes(GRAPHQL_RESPONSE, None),
    b"application/graphql-response+json,application/json;q=0.9": AcceptedMediaTypes(GRAPHQL_RESPONSE, None),
    b"text/event-stream": AcceptedMediaTypes(None, EVENT_STREAM),
}

RESULT_TYPES = {
    GRAPHQL_RESPONSE: GRAPHQL_RESPONSE,
    JSON: JSON,
    "application/*": JSON,
    "*/*": JSON,
}


def negotiate(accept: bytes | None) -> AcceptedMediaTypes:
    """Return the media types to answer with: among equal qualities the first listed; invalid entries are skipped."""
    common = COMMON_ACCEPTED.get(accept or b"")
    return common if common is not None else _parsed(accept or b"")


def _parsed(accept: bytes) -> AcceptedMediaTypes:
    result, stream = None, None
    result_quality, stream_quality = 0.0, 0.0
    for part in accept.decode("latin-1").split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = _quality(parameters)
        if name in RESULT_TYPES and quality > result_quality:
            result, result_quality = RESULT_TYPES[name], quality
        elif _is_stream(name, parameters) and quality > stream_quality:
            stream, stream_quality = name, quality
    return AcceptedMediaTypes(result, stream)


def _is_stream(name: str, parameters: list[str]) -> bool:
    # Without its subscriptionSpec, multipart/mixed means incremental delivery (@defer), which is not offered.
    return name == EVENT_STREAM or (name == MULTIPART and any(p.startswith("subscriptionspec=") for p in parameters))


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = float(parameter[2:])
            except ValueError:
                return 0.0
            return quality if 0.0 <= quality <= 1.0 else 0.0
    return 1.0
