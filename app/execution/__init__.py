"""A GraphQL engine for one Strawberry schema.

`Engine.prepare` returns an `Operation`, which the engine executes to a `Response` or, event by event, to a stream of
responses. A request that cannot be executed raises `RequestError`. The package depends on no other package of the app.
"""

from app.execution.dependencies import Dependencies
from app.execution.documents.document_cache import document_bytes
from app.execution.documents.operation import BoundOperation, Operation
from app.execution.engine import Engine, ExecutionCounts
from app.execution.request_error import RequestError
from app.execution.response import Response

__all__ = [
    "BoundOperation",
    "Dependencies",
    "Engine",
    "ExecutionCounts",
    "Operation",
    "RequestError",
    "Response",
    "document_bytes",
]
