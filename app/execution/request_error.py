"""The error of a request that is refused before it is executed."""

from __future__ import annotations

from collections.abc import Sequence

from graphql import GraphQLError

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
TOO_COMPLEX = "QUERY_TOO_COMPLEX"
BAD_USER_INPUT = "BAD_USER_INPUT"


class RequestError(Exception):
    """The request was not executed: nothing was resolved and the response has no `data`.

    `errors` lists exactly one error. Refused documents, operation names and variables carry
    `extensions["code"]`, one of the constants of this module. A subscription whose resolver failed
    before its first event carries that failure with its `original_error`, so that the engine's
    `format_error` chooses the code as it does for every other resolver.
    """

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        self.errors = tuple(errors[:1])
        super().__init__(self.errors[0].message)

    @classmethod
    def from_error(cls, error: GraphQLError, code: str) -> RequestError:
        """Refuse with `code`, unless the error already names its own.

        The error is copied without its syntax nodes: refusals are cached, and one node keeps the
        whole document alive, at a hundred times the size of its text.
        """
        copy = GraphQLError(
            error.message,
            source=error.source,
            positions=error.positions,
            extensions={"code": code, **(error.extensions or {})},
        )
        return cls((copy,))
