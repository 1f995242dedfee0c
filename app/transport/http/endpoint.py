"""The GraphQL endpoint over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Any, Generic, Protocol, TypeVar

from graphql import OperationType
from starlette.types import Receive, Scope, Send

from app.execution import BoundOperation, Dependencies, Operation, RequestError, Response, document_bytes
from app.execution.lru_cache import LRUCache
from app.telemetry.requests import log_refusal
from app.transport.errors import BadRequest, ClientDisconnected, DocumentRefused, Header
from app.transport.http import responses
from app.transport.http.cacheable_reply import CACHEABLE_REPLY, CacheableReply
from app.transport.http.csrf import CSRF_MESSAGE, may_be_forged
from app.transport.http.negotiation import AcceptedMediaTypes, negotiate
from app.transport.http.request_body import read_body
from app.transport.http.response_cache import ResponseCache
from app.transport.http.responses import Reply
from app.transport.http.stream_framing import FRAMINGS
from app.transport.http.streams import Streams
from app.transport.operation_metrics import OperationMetrics
from app.transport.operations import Operations
from app.transport.parameters import Parameters, parameters_of_json, parameters_of_query_string

ContextT = TypeVar("ContextT")
ContextT_co = TypeVar("ContextT_co", covariant=True)

ALLOW: Header = (b"allow", b"GET, HEAD, POST, OPTIONS")
ALLOW_POST: Header = (b"allow", b"POST")
ACCEPT_POST: Header = (b"accept-post", b"application/json")

STREAM_REQUIRED = (
    "A subscription needs 'Accept: text/event-stream' or 'multipart/mixed; subscriptionSpec=1.0', "
    "or a WebSocket with the subprotocol graphql-transport-ws."
)

SAFE_METHOD_OPERATIONS = {
    "GET": (OperationType.QUERY, OperationType.SUBSCRIPTION),
    "HEAD": (OperationType.QUERY,),
}
"""The operations that methods may execute which promise to change nothing."""

# Many clients send the same query, byte for byte: its operation and variables are kept by the bytes of the body.
MAX_CACHED_BODIES = 10_000
MAX_CACHED_BODY_BYTES = 64 * 1024 * 1024
CACHED_BODY_OVERHEAD = 1000
"""About the bytes that a cached body takes besides itself and the document of its operation."""

UTF_8_CHARSETS = (b"utf-8", b"utf8", b"us-ascii")


class Contexts(Protocol[ContextT_co]):
    """Makes the contexts that resolvers get."""

    async def from_http(self, scope: Scope) -> ContextT_co:
        """Return the context of a request. Raises domain errors, for instance for a bad access token."""

    async def charge_refusal(self, context: Any) -> None:
        """Count a request that was refused before it became an operation. Raises domain errors."""


class GraphQLEndpoint(Generic[ContextT]):
    """An ASGI application: queries by GET and POST, mutations by POST, subscriptions as streams.

    `app.transport.http.responses` lists the status of each kind of reply. Every reply except a stream is JSON, and no
    request makes the endpoint raise.
    """

    def __init__(
        self,
        operations: Operations,
        contexts: Contexts[ContextT],
        streams: Streams[ContextT],
        *,
        render_error: Callable[[Exception], Mapping[str, Any]],
        response_cache: ResponseCache | None = None,
        metrics: OperationMetrics | None = None,
        max_body_bytes: int = 65_536,
        body_timeout: float = 10.0,
        ide_path: str | None = None,
    ) -> None:
        """Create the endpoint.

        Args:
            operations: Prepares, admits and executes operations.
            contexts: Makes the contexts of requests.
            streams: Serves subscriptions.
            render_error: Formats any exception for clients and masks the unexpected ones.
            response_cache: Without it every query is executed.
            metrics: Counts the operations.
            max_body_bytes: The limit of request bodies and query strings.
            body_timeout: Seconds that a request body may take to arrive.
            ide_path: The page that people are led to who open the endpoint in a browser; None if there is none.
        """
        self._engine = operations.engine
        self._operations = operations
        self._contexts = contexts
        self._streams = streams
        self._render_error = render_error
        self._response_cache = response_cache
        self._metrics = metrics or OperationMetrics()
        self._max_body_bytes = max_body_bytes
        self._body_timeout = body_timeout
        self._ide_path = ide_path
        self.operation_of_body: LRUCache[bytes, BoundOperation] = LRUCache(MAX_CACHED_BODIES, MAX_CACHED_BODY_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = _headers(scope)
        accepted = negotiate(headers.get(b"accept"))
        reply: Reply | None
        try:
            reply = await self._reply(scope, headers, accepted, receive, send)
        except ClientDisconnected:
            return
        except Exception as error:
            reply = self._error_reply(error, accepted)
        if reply is not None:
            await reply.send(send, without_body=scope["method"] == "HEAD")

    async def answer(self, body: bytes, accepted: AcceptedMediaTypes, context: ContextT) -> Reply:
        """Return the reply to a POST of `body` by a client that accepts single results. Raises nothing."""
        started = perf_counter()
        bound: BoundOperation | None = None
        try:
            bound = self.operation_of_body.get(body)
            if bound is not None:
                await self._operations.admit(context, bound)
                reply, _ = await self._execute(bound, accepted, context, started)
                return reply
            request = parameters_of_json(body)
            bound = await self._operations.prepare(request, context)
            operation = bound.operation
            if operation.kind is OperationType.SUBSCRIPTION:
                raise BadRequest(406, STREAM_REQUIRED)
            reply, has_no_errors = await self._execute(bound, accepted, context, started)
            if has_no_errors and operation.cacheable and not request.extensions:
                self._cache_body(body, bound)
        except BadRequest as refused:
            self._metrics.record_error(bound, started, refused)
            reply = await self._refuse(refused, accepted, context)
        except Exception as error:
            self._metrics.record_error(bound, started, error)
            reply = self._error_reply(error, accepted)
        return reply

    def _cache_body(self, body: bytes, bound: BoundOperation) -> None:
        """Cache the operation of a body, with the weight of its document, which the first body keeps alive for all."""
        weight = len(body) + CACHED_BODY_OVERHEAD
        if not bound.operation.is_of_cached_body:
            bound.operation.is_of_cached_body = True
            weight += document_bytes(bound.operation.query)
        self.operation_of_body.put(body, bound, weight)

    async def _refuse(self, refused: BadRequest, accepted: AcceptedMediaTypes, context: ContextT) -> Reply:
        """Return the reply to a request that is no operation, and count it."""
        try:
            await self._contexts.charge_refusal(context)
        except Exception as error:
            return self._error_reply(error, accepted)
        return self._error_reply(refused, accepted)

    async def _reply(
        self, scope: Scope, headers: Mapping[bytes, bytes], accepted: AcceptedMediaTypes, receive: Receive, send: Send
    ) -> Reply | None:
        """Return the reply, or None after a stream has been sent."""
        method = scope["method"]
        if method == "OPTIONS":
            return Reply(204, (ALLOW,), b"")
        if self._ide_path is not None and _is_visit(scope, headers):
            return Reply(303, ((b"location", self._ide_path.encode()), responses.VARY, responses.NO_STORE), b"")
        started = perf_counter()
        try:
            # First of all, so that every refusal can be charged to somebody.
            context = await self._contexts.from_http(scope)
        except Exception as error:
            self._metrics.record_error(None, started, error)
            raise
        try:
            return await self._operation_reply(context, scope, headers, accepted, receive, send, started)
        except BadRequest as refused:
            return await self._refuse(refused, accepted, context)

    async def _operation_reply(
        self,
        context: ContextT,
        scope: Scope,
        headers: Mapping[bytes, bytes],
        accepted: AcceptedMediaTypes,
        receive: Receive,
        send: Send,
        started: float,
    ) -> Reply | None:
        method = scope["method"]
        bound: BoundOperation | None = None
        try:
            asked_for_body = perf_counter()
            request = await self._parameters(scope, headers, receive)
            started += perf_counter() - asked_for_body  # A client that sends slowly makes the service no slower.
            if accepted.result is None and accepted.stream is None:
                raise BadRequest(
                    406, "Accept application/graphql-response+json, application/json or text/event-stream."
                )
            bound = await self._operations.prepare(request, context, partial(_check_method, method))
            operation = bound.operation
            if operation.kind is OperationType.SUBSCRIPTION:
                if accepted.stream is None:
                    raise BadRequest(406, STREAM_REQUIRED)
                await self._streams.serve(
                    FRAMINGS[accepted.stream],
                    operation,
                    request.variables,
                    context,
                    receive,
                    send,
                    on_open=partial(self._metrics.record_subscription, operation),
                )
                return None
            reply, has_no_errors = await self._execute(bound, accepted, context, started)
        except ClientDisconnected:
            raise
        except Exception as error:
            self._metrics.record_error(bound, started, error)
            raise
        if has_no_errors and method != "POST":
            return responses.with_etag(reply, headers.get(b"if-none-match"))
        if has_no_errors and accepted.result is not None and accepted.stream is None:
            scope.setdefault("state", {})[CACHEABLE_REPLY] = CacheableReply(reply, accepted, context)
        return reply

    def _error_reply(self, error: Exception, accepted: AcceptedMediaTypes) -> Reply:
        match error:
            case BadRequest():
                log_refusal(error.code, error.message)
                return responses.bad_request_reply(error, accepted)
            case RequestError():
                return responses.error_reply(self._engine.encode(Response.of(error)), accepted)
            case DocumentRefused():
                log_refusal(error.code, error.message)
                formatted: Mapping[str, Any] = {"message": error.message, "extensions": {"code": error.code}}
            case _:
                formatted = self._render_error(error)
        return responses.error_reply(responses.error_body(formatted), accepted)

    async def _parameters(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive) -> Parameters:
        method = scope["method"]
        if method not in ("GET", "HEAD", "POST"):
            raise BadRequest(405, "The method must be GET or POST.", (ALLOW,))
        if may_be_forged(method, headers):
            raise BadRequest(400, CSRF_MESSAGE)
        if method == "POST":
            _check_content(headers)
            body = await read_body(receive, headers, max_bytes=self._max_body_bytes, timeout=self._body_timeout)
            return parameters_of_json(body)
        if len(scope["query_string"]) > self._max_body_bytes:
            raise BadRequest(414, f"The query string must be at most {self._max_body_bytes} bytes.")
        return parameters_of_query_string(scope["query_string"])

    async def _execute(
        self, bound: BoundOperation, accepted: AcceptedMediaTypes, context: ContextT, started: float
    ) -> tuple[Reply, bool]:
        """Count the operation, and return the reply, and whether the response has no errors."""
        response_cache = self._response_cache if bound.operation.cacheable else None
        if response_cache is None:
            response = await self._operations.execute(bound, context)
            body = self._engine.encode(response)
        else:
            cached = response_cache.get(bound.key)
            if cached is not None:
                self._metrics.record(bound.operation, started)
                return responses.data_reply(cached, accepted), True
            dependencies = Dependencies()
            response = await self._operations.execute(
                bound, response_cache.make_context(dependencies), on_behalf_of=context
            )
            body = self._engine.encode(response)
            response_cache.put(bound.key, response, body, dependencies, key_bytes=len(bound.operation.query))
        self._metrics.record_response(bound.operation, started, response, context)
        if not response.errors:
            return responses.data_reply(body, accepted), True
        return (responses.partial_reply if response.has_data else responses.error_reply)(body, accepted), False


def _is_visit(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Return whether somebody opened the endpoint in a browser: a GET of a page, without an operation."""
    return scope["method"] == "GET" and not scope["query_string"] and b"text/html" in headers.get(b"accept", b"")


def _check_method(method: str, operation: Operation) -> None:
    """Raise BadRequest (405) unless `method` may execute the operation."""
    if method != "POST" and operation.kind not in SAFE_METHOD_OPERATIONS[method]:
        raise BadRequest(405, f"A {operation.kind.value} cannot be executed by {method}.", (ALLOW_POST,))


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers by lower-case name: the last of repeated ones, but split lists are joined."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if len(headers) < len(scope["headers"]):
        for name in (b"accept", b"if-none-match"):
            if name in headers:
                headers[name] = b", ".join(value for other, value in scope["headers"] if other == name)
    return headers


def _check_content(headers: Mapping[bytes, bytes]) -> None:
    """Raise BadRequest (415) unless the body is uncompressed JSON in UTF-8."""
    content_type = headers.get(b"content-type", b"")
    if content_type != b"application/json":
        essence, _, parameters = content_type.lower().partition(b";")
        if essence.strip() != b"application/json":
            raise BadRequest(415, "The body must be application/json.", (ACCEPT_POST,))
        charset = parameters.partition(b"charset=")[2].partition(b";")[0].strip(b' "')
        if charset and charset not in UTF_8_CHARSETS:
            raise BadRequest(415, "The body must be in UTF-8.", (ACCEPT_POST,))
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise BadRequest(415, "The body must not be compressed.", ((b"accept-encoding", b"identity"),))
