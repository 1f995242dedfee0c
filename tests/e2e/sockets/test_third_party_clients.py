"""Clients other people wrote."""

from __future__ import annotations

import asyncio

import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from tests.support.graphql.sample_server import serve_sockets
from tests.support.wait_until import TIMEOUT


async def test_gql_subscribes_queries_and_is_told_of_errors() -> None:
    async with serve_sockets() as server:
        transport = WebsocketsTransport(
            server.url,
            subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
            init_payload={"authorization": "ada"},
            ping_interval=1,
        )
        async with asyncio.timeout(TIMEOUT), Client(transport=transport) as client:
            assert await client.execute(gql("{ me version }")) == {"me": "ada", "version": 1}
            with pytest.raises(TransportQueryError, match="Cannot query field"):
                await client.execute(gql("{ unknown }"))
            ticks = client.subscribe(gql("subscription { ticks { kind version } }"))
            assert await anext(ticks) == {"ticks": {"kind": "SNAPSHOT", "version": 1}}
            await server.counter.increment()
            assert await anext(ticks) == {"ticks": {"kind": "UPDATE", "version": 2}}
            await ticks.aclose()
        assert server.multiplexer.groups == 0
