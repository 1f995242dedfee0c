"""A GraphQL engine over one Strawberry schema.

`Engine.prepare` gives an `Operation`, which the engine executes to a `Response` or, event by event,
to a stream of them; what cannot be executed is a `RequestError`. Nothing here knows what the schema is
about.
"""

from app.execution.dependencies import Dependencies
from app.execution.documents.operation import BoundOperation, Operation
from app.execution.engine import Engine, ExecutionCounts
from app.execution.request_error import RequestError
from app.execution.response import Response

__all__ = ["BoundOperation", "Dependencies", "Engine", "ExecutionCounts", "Operation", "RequestError", "Response"]
