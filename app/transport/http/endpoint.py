"""The GraphQL endpoint over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from graphql import OperationType
from starlette.types import Receive, Scope, Send

from app.domain.errors import ServiceUnavailable
from app.execution import Bound, Dependencies, Engine, Operation, RequestError, Response
from app.execution.compiler.eager_start import rest_of
from app.execution.lru_cache import LRUCache
from app.transport.errors import BadRequest, ClientDisconnected, DocumentRefused, Header
from app.transport.http import responses as replies
from app.transport.http.csrf import BLOCKED, may_be_forged
from app.transport.http.negotiation import Accepted, negotiate
from app.transport.http.request_body import read_body
from app.transport.http.response_cache import ResponseCache
from app.transport.http.responses import Reply
from app.transport.http.stream_framing import FRAMINGS
from app.transport.http.streams import Streams
from app.transport.parameters import Parameters, parameters_of_json, parameters_of_query_string
from app.transport.persisted_documents.resolve import Documents
from app.transport.server.head_cache import CACHEABLE_REPLY, CacheableReply

ContextT = TypeVar("ContextT")
ContextT_co = TypeVar("ContextT_co", covariant=True)

ALLOW: Header = (b"allow", b"GET, HEAD, POST, OPTIONS")
ALLOW_POST: Header = (b"allow", b"POST")
ACCEPT_POST: Header = (b"accept-post", b"application/json")

NO_STREAM = (
    "A subscription needs 'Accept: text/event-stream' or 'multipart/mixed; subscriptionSpec=1.0', "
    "or a WebSocket with the subprotocol graphql-transport-ws."
)

# What may be asked for with a method that promises to change nothing.
SAFE = {
    "GET": (OperationType.QUERY, OperationType.SUBSCRIPTION),
    "HEAD": (OperationType.QUERY,),
}

# Many clients send the same query, to the byte: what it means is remembered.
BODIES, BYTES = 10_000, 8 * 1024 * 1024
OVERHEAD = 1000

UTF_8 = (b"utf-8", b"utf8", b"us-ascii")


class Contexts(Protocol[ContextT_co]):
    """Makes what resolvers may see of a request."""

    async def of_http(self, scope: Scope) -> ContextT_co:
        """The context of a request. Raises domain errors, for instance for a bad access token."""


class GraphQLEndpoint(Generic[ContextT]):
    """An ASGI application: queries by GET and POST, mutations by POST, subscriptions as streams.

    Which status goes with which answer is written down in `app.transport.http.responses`. Every answer is JSON (streams
    apart), and no request makes it raise.
    """

    def __init__(
        self,
        engine: Engine,
        contexts: Contexts[ContextT],
        documents: Documents,
        streams: Streams[ContextT],
        *,
        admit: Callable[[ContextT, Operation | None], Awaitable[None]],
        render_error: Callable[[Exception], Mapping[str, Any]],
        response_cache: ResponseCache | None = None,
        longest_body: int = 65_536,
        body_timeout: float = 10.0,
        execution_timeout: float = 10.0,
    ) -> None:
        """`admit` is asked before anything is executed and raises a domain error to refuse; None in place of the
        operation stands for a document that was refused, which cost time too. `render_error` formats any exception
        for clients and masks the unexpected ones. Without `response_cache` every query is executed. `longest_body` is
        in bytes and also bounds query strings; the timeouts are in seconds.
        """
        self._engine = engine
        self._contexts = contexts
        self._documents = documents
        self._streams = streams
        self._admit = admit
        self._render_error = render_error
        self._response_cache = response_cache
        self._longest_body = longest_body
        self._body_timeout = body_timeout
        self._execution_timeout = execution_timeout
        self._known: LRUCache[bytes, Bound] = LRUCache(BODIES, BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        accepted = negotiate(headers.get(b"accept"))
        reply: Reply | None
        try:
            reply = await self._reply(scope, headers, accepted, receive, send)
        except ClientDisconnected:
            return
        except Exception as error:
            reply = self._refused(error, accepted)
        if reply is not None:
            await reply.send(send, without_body=scope["method"] == "HEAD")

    async def answer(self, body: bytes, accepted: Accepted, context: ContextT) -> Reply:
        """The reply to a POST of this body by a client that accepts single results. Raises nothing."""
        try:
            bound = self._known.get(body)
            if bound is not None:
                await self._admit(context, bound.operation)
                return (await self._executed(bound, accepted, context))[0]
            request = parameters_of_json(body)
            operation = await self._prepared(request, context)
            await self._admit(context, operation)
            if operation.kind is OperationType.SUBSCRIPTION:
                raise BadRequest(406, NO_STREAM)
            bound = operation.bind(request.variables)
            reply, whole = await self._executed(bound, accepted, context)
            if whole and operation.cacheable and not request.extensions:
                self._known.put(body, bound, len(body) + OVERHEAD)
        except Exception as error:
            reply = self._refused(error, accepted)
        return reply

    async def _reply(
        self, scope: Scope, headers: Mapping[bytes, bytes], accepted: Accepted, receive: Receive, send: Send
    ) -> Reply | None:
        """The answer, or None when it has been streamed."""
        method = scope["method"]
        if method == "OPTIONS":
            return Reply(204, (ALLOW,), b"")
        request = await self._parameters(scope, headers, receive)
        if accepted.result is None and accepted.stream is None:
            raise BadRequest(406, "Accept application/graphql-response+json, application/json or text/event-stream.")
        context = await self._contexts.of_http(scope)
        operation = await self._prepared(request, context)
        if method != "POST" and operation.kind not in SAFE[method]:
            raise BadRequest(405, f"A {operation.kind.value} cannot be executed by {method}.", (ALLOW_POST,))
        await self._admit(context, operation)
        if operation.kind is OperationType.SUBSCRIPTION:
            await self._stream(operation, request, accepted, context, receive, send)
            return None
        reply, cacheable = await self._executed(operation.bind(request.variables), accepted, context)
        if cacheable and method != "POST":
            return replies.revalidated(reply, headers.get(b"if-none-match"))
        if cacheable and accepted.result is not None and accepted.stream is None:
            scope.setdefault("state", {})[CACHEABLE_REPLY] = CacheableReply(reply, accepted, context)
        return reply

    def _refused(self, error: Exception, accepted: Accepted) -> Reply:
        match error:
            case BadRequest():
                return replies.malformed(error, accepted)
            case RequestError():
                return replies.refusal(self._engine.encode(Response.of(error)), accepted)
            case DocumentRefused():
                formatted: Mapping[str, Any] = {"message": error.message, "extensions": {"code": error.code}}
            case _:
                formatted = self._render_error(error)
        return replies.refusal(replies.error_body(formatted), accepted)

    async def _parameters(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive) -> Parameters:
        method = scope["method"]
        if method not in ("GET", "HEAD", "POST"):
            raise BadRequest(405, "The method must be GET or POST.", (ALLOW,))
        if may_be_forged(method, headers):
            raise BadRequest(400, BLOCKED)
        if method == "POST":
            _check_content(headers)
            return parameters_of_json(
                await read_body(receive, headers, most=self._longest_body, seconds=self._body_timeout)
            )
        if len(scope["query_string"]) > self._longest_body:
            raise BadRequest(414, f"The query string must be at most {self._longest_body} bytes.")
        return parameters_of_query_string(scope["query_string"])

    async def _prepared(self, request: Parameters, context: ContextT) -> Operation:
        try:
            query = await self._documents.resolve(request)
            operation = self._engine.prepare(query, request.operation_name)
        except (DocumentRefused, RequestError):
            await self._admit(context, None)
            raise
        if request.extensions:
            await self._documents.remember(request)
        return operation

    async def _executed(self, bound: Bound, accepted: Accepted, context: ContextT) -> tuple[Reply, bool]:
        """The reply, and whether it may be cached: it is free of errors."""
        response_cache = self._response_cache if bound.operation.cacheable else None
        if response_cache is None:
            response = await self._execute(bound, context)
            body = self._engine.encode(response)
        else:
            known = response_cache.get(bound.key)
            if known is not None:
                return replies.result(known, accepted), True
            dependencies = Dependencies()
            response = await self._execute(bound, response_cache.public(dependencies))
            body = self._engine.encode(response)
            response_cache.put(bound.key, response, body, dependencies)
        if not response.errors:
            return replies.result(body, accepted), True
        return (replies.partial_result if response.has_data else replies.refusal)(body, accepted), False

    async def _execute(self, bound: Bound, context: object) -> Response:
        execution = self._engine.execute_bound(bound, context)
        try:
            # What memory answers is done at the first step, and needs no timer.
            first = execution.send(None)
        except StopIteration as done:
            response: Response = done.value
            return response
        try:
            async with asyncio.timeout(self._execution_timeout):
                return await rest_of(execution, first)
        except TimeoutError:
            raise ServiceUnavailable(retry_after=1) from None

    async def _stream(
        self,
        operation: Operation,
        request: Parameters,
        accepted: Accepted,
        context: ContextT,
        receive: Receive,
        send: Send,
    ) -> None:
        if accepted.stream is None:
            raise BadRequest(406, NO_STREAM)
        await self._streams.serve(FRAMINGS[accepted.stream], operation, request.variables, context, receive, send)


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """The headers by lower-case name; of repeated ones the last, but lists that were split over lines are joined."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if len(headers) < len(scope["headers"]):
        for name in (b"accept", b"if-none-match"):
            if name in headers:
                headers[name] = b", ".join(value for other, value in scope["headers"] if other == name)
    return headers


def _check_content(headers: Mapping[bytes, bytes]) -> None:
    """Raises MalformedRequest (415) unless the body is uncompressed JSON in UTF-8."""
    content_type = headers.get(b"content-type", b"")
    if content_type != b"application/json":
        essence, _, parameters = content_type.lower().partition(b";")
        if essence.strip() != b"application/json":
            raise BadRequest(415, "The body must be application/json.", (ACCEPT_POST,))
        charset = parameters.partition(b"charset=")[2].partition(b";")[0].strip(b' "')
        if charset and charset not in UTF_8:
            raise BadRequest(415, "The body must be in UTF-8.", (ACCEPT_POST,))
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise BadRequest(415, "The body must not be compressed.", ((b"accept-encoding", b"identity"),))
