"""The errors of requests that cannot become an operation."""

from __future__ import annotations

from collections.abc import Sequence

from app.error_codes import ErrorCode

Header = tuple[bytes, bytes]

BAD_REQUEST = ErrorCode.BAD_REQUEST.value


class BadRequest(Exception):
    """The request is not a well-formed GraphQL request.

    `status` is the HTTP status for every media type; `headers` are added to the response.
    """

    def __init__(self, status: int, message: str, headers: Sequence[Header] = ()) -> None:
        self.status = status
        self.code = BAD_REQUEST
        self.message = message
        self.headers = tuple(headers)
        super().__init__(message)


class DocumentRefused(Exception):
    """A well-formed request names a document that is unknown or not trusted. `code` is for `extensions.code`."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)


class ClientDisconnected(Exception):
    """The client disconnected before its request was complete."""
