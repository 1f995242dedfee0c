"""The objects of the transport that metrics are read from."""

from __future__ import annotations

from dataclasses import dataclass

from app.context import Context
from app.execution import Engine
from app.transport.http.endpoint import GraphQLEndpoint
from app.transport.http.response_cache import ResponseCache
from app.transport.http.streams import Streams
from app.transport.multiplexing.multiplexer import SubscriptionMultiplexer
from app.transport.operation_metrics import OperationMetrics
from app.transport.server.head_cache import RequestHeadCache
from app.transport.sockets.connections import Connections
from app.wiring import App


@dataclass(frozen=True, slots=True)
class Sources:
    """What metrics are read from: the services, and what serves requests."""

    app: App
    engine: Engine
    operations: OperationMetrics
    multiplexer: SubscriptionMultiplexer
    streams: Streams[Context]
    connections: Connections
    http: GraphQLEndpoint[Context]
    response_cache: ResponseCache | None
    request_head_cache: RequestHeadCache
