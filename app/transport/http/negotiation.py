"""Which media types a client takes, from its `Accept` header (GraphQL over HTTP, graphql-sse, Apollo multipart)."""

from __future__ import annotations

from typing import NamedTuple

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
MULTIPART = "multipart/mixed"


class Accepted(NamedTuple):
    """The best type for a single result and the best one for a stream of them; None where none will do.

    A single result can also go out as a stream of one, for a client that takes nothing else.
    """

    result: str | None
    stream: str | None


# Without a word from the client it gets what clients understood before the standard.
UNSPECIFIED = Accepted(JSON, None)

# What nearly every request carries, so that nearly none is parsed.
COMMON: dict[bytes, Accepted] = {
    b"": UNSPECIFIED,
    b"*/*": UNSPECIFIED,
    b"application/json": UNSPECIFIED,
    b"application/graphql-response+json": Accepted(GRAPHQL_RESPONSE, None),
    b"application/graphql-response+json,application/json;q=0.9": Accepted(GRAPHQL_RESPONSE, None),
    b"text/event-stream": Accepted(None, EVENT_STREAM),
}

RESULTS = {
    GRAPHQL_RESPONSE: GRAPHQL_RESPONSE,
    JSON: JSON,
    "application/*": JSON,
    "*/*": JSON,
}


def negotiate(accept: bytes | None) -> Accepted:
    """The types to answer with. Of equally welcome ones the first listed wins; what cannot be read is skipped."""
    common = COMMON.get(accept or b"")
    return common if common is not None else _parsed(accept or b"")


def _parsed(accept: bytes) -> Accepted:
    result, stream = None, None
    result_quality, stream_quality = 0.0, 0.0
    for part in accept.decode("latin-1").split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = _quality(parameters)
        if name in RESULTS and quality > result_quality:
            result, result_quality = RESULTS[name], quality
        elif _is_stream(name, parameters) and quality > stream_quality:
            stream, stream_quality = name, quality
    return Accepted(result, stream)


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
