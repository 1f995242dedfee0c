"""The GraphQL schema of the service, and the rendering of errors."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import strawberry
import structlog
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig

from app.domain import errors as domain
from app.domain.rate_limits import Activity
from app.error_codes import ErrorCode
from app.execution import Engine, RequestError
from app.execution._upstream import STRAWBERRY_DEFINITION
from app.execution.limits.limits import DocumentLimits
from app.resolvers.mutation import Mutation
from app.resolvers.outcomes import OUTCOMES, Outcome
from app.resolvers.query import Query
from app.resolvers.subscription import Subscription
from app.schema.scalars import SCALARS
from app.telemetry.requests import log_refusal

ACTIVITY = "activity"
"""The metadata of a root field: the rate limit that it counts against."""

MAX_DETAIL = 500
"""Characters of the cause of an unexpected error that a response shows."""

log = structlog.get_logger(__name__)


class Schema(strawberry.Schema):
    """A schema that leaves the reporting of errors to `ErrorRenderer`."""

    def process_errors(self, errors: list[GraphQLError], execution_context: object = None) -> None:
        """Log nothing: expected errors need no log line, and `ErrorRenderer` logs unexpected ones."""


def build_schema() -> Schema:
    """Build the GraphQL schema of the service.

    Raises:
        TypeError: A mutation does not say which rate limit it counts against.
    """
    schema = Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        config=StrawberryConfig(disable_field_suggestions=True, scalar_map=SCALARS),
        exception_handlers=[Outcome(refusal, outcome) for refusal, outcome in OUTCOMES.items()],
    )
    activities_of(schema)
    return schema


def activities_of(schema: strawberry.Schema) -> dict[str, Activity]:
    """Return the activity that each root field counts as, where its metadata names one.

    Raises:
        TypeError: A mutation names none. A field of the other operations without one counts as a query.
    """
    activities: dict[str, Activity] = {}
    core = schema._schema
    for root in (core.query_type, core.mutation_type, core.subscription_type):
        for name, field in root.fields.items() if root else ():
            activity = field.extensions[STRAWBERRY_DEFINITION].metadata.get(ACTIVITY)
            if activity is not None:
                activities[name] = activity
            elif root is core.mutation_type:
                raise TypeError(f'The mutation `{name}` must have `metadata={{"{ACTIVITY}": …}}`.')
    return activities


def build_engine(schema: Schema, *, introspection: bool, compile: bool, errors: ErrorRenderer | None = None) -> Engine:
    """Build the engine that executes operations on `schema` for every transport; `errors` masks unexpected errors."""
    return Engine(
        schema,
        limits=DocumentLimits(introspection=introspection),
        format_error=(errors or ErrorRenderer()).format,
        compile=compile,
    )


@dataclass(frozen=True, slots=True)
class ErrorRenderer:
    """Makes errors readable for clients.

    Attributes:
        shows_details: Whether responses name what caused an unexpected error. In production they must not: messages of
            exceptions may contain data of others.
    """

    shows_details: bool = False

    def format(self, error: GraphQLError) -> dict[str, Any]:
        """Return an error as clients see it: with a code, and without internal details."""
        original = error.original_error
        while isinstance(original, GraphQLError) and original.original_error is not None:
            original = original.original_error
        formatted: dict[str, Any] = dict(error.formatted)
        if original is None or isinstance(original, GraphQLError):
            code = code_of(error)
            log_refusal(code, error.message)
            return formatted | {"extensions": {**(error.extensions or {}), "code": code}}
        return formatted | self.render(original)

    def render(self, error: Exception) -> dict[str, Any]:
        """Return the message and extensions of an exception, and log it: an unexpected one under the id in them."""
        if isinstance(error, domain.DomainError):
            log_refusal(error.code.value, error.message, error.__cause__)
            return {"message": error.message, "extensions": {"code": error.code.value, **error.facts()}}
        error_id = secrets.token_hex(8)
        log.error("unexpected_error", error_id=error_id, exc_info=error)
        extensions = {"code": ErrorCode.INTERNAL_SERVER_ERROR.value, "errorId": error_id}
        if self.shows_details:
            extensions["detail"] = f"{type(error).__name__}: {error}"[:MAX_DETAIL]
        return {"message": "Something went wrong on our side.", "extensions": extensions}


def code_of(error: Exception) -> str:
    """Return the code of an error, as clients see it."""
    if isinstance(error, RequestError):
        return code_of(error.errors[0])
    if isinstance(error, domain.DomainError):
        return error.code.value
    if not isinstance(error, GraphQLError):
        return ErrorCode.INTERNAL_SERVER_ERROR.value
    original = error.original_error
    if original is not None and (not isinstance(original, GraphQLError) or original.original_error is not None):
        return code_of(original)
    code: str = (error.extensions or {}).get("code", ErrorCode.BAD_USER_INPUT.value)
    return code


def print_sdl() -> str:
    """Return the schema in SDL, as committed in `schema.graphql`."""
    return build_schema().as_str().rstrip() + "\n"
