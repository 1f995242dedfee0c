"""Limits of what one address may keep open, as its clients and everybody else meet them."""

from __future__ import annotations

from contextlib import AsyncExitStack

import httpx2
import pytest

from app.config import Settings
from tests.support.graphql.socket_client import connected, connecting
from tests.support.service import Service, settings_for
from tests.support.wait_until import until, until_answer

WATCH = "subscription { leaderboardUpdates { kind } }"


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return settings_for(
        database_url,
        redis_url,
        rate_limit_enabled=True,
        rate_limit_connections_per_address=8,
        rate_limit_anonymous_per_address=1000,
        max_streams=5,
        max_streams_per_address=2,
        ws_max_connections_per_address=3,
        max_views_per_address=2,
        max_views_per_user=1,
        trusted_proxies="127.0.0.1",
    )


async def stream(
    stack: AsyncExitStack, http: httpx2.AsyncClient, address: str, accept: str = "multipart/mixed;subscriptionSpec=1.0"
) -> httpx2.Response:
    headers = {"x-forwarded-for": address, "accept": accept}
    return await stack.enter_async_context(http.stream("POST", "/graphql", json={"query": WATCH}, headers=headers))


async def test_streams_over_the_cap_of_an_address_get_429_and_others_are_not_affected(service: Service) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            assert (await stream(stack, service.http, "192.0.2.1")).status_code == 200
        refused = await stream(stack, service.http, "192.0.2.1")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        # Over this media type errors are sent as events.
        refused = await stream(stack, service.http, "192.0.2.1", "text/event-stream")
        assert "RATE_LIMITED" in (await refused.aread()).decode()
        for _ in range(2):
            assert (await stream(stack, service.http, "192.0.2.2")).status_code == 200
        await stream(stack, service.http, "192.0.2.3")
        assert (await stream(stack, service.http, "192.0.2.4")).status_code == 429  # The instance has five streams.

    async def is_open_again() -> bool:
        async with AsyncExitStack() as stack:
            return (await stream(stack, service.http, "192.0.2.1")).status_code == 200

    assert await until_answer(is_open_again, bool)


async def test_sockets_over_the_cap_of_an_address_are_asked_to_come_back_later(service: Service) -> None:
    async with AsyncExitStack() as stack:
        headers = {"x-forwarded-for": "192.0.2.1"}
        for _ in range(3):
            await stack.enter_async_context(connected(service.socket_url, additional_headers=headers))
        async with connecting(service.socket_url, additional_headers=headers) as refused:
            assert (await refused.close_code())[0] == 1013
        async with connected(service.socket_url, additional_headers={"x-forwarded-for": "192.0.2.2"}) as other:
            assert await other.is_alive()


async def test_handshakes_are_charged_whether_or_not_anything_follows(service: Service) -> None:
    headers = {"x-forwarded-for": "192.0.2.1"}
    for _ in range(8):
        async with connecting(service.socket_url, additional_headers=headers):
            pass
    async with connecting(service.socket_url, additional_headers=headers) as refused:
        code, reason = await refused.close_code()
    assert code == 1013
    assert "Too many connections" in reason
    async with connected(service.socket_url, additional_headers={"x-forwarded-for": "192.0.2.2"}) as other:
        assert await other.is_alive()


async def test_views_over_the_cap_of_an_owner_get_an_error_and_others_are_not_affected(service: Service) -> None:
    def around(number: int) -> str:
        user_id = f"00000000-0000-0000-0000-{number:012}"
        return f'subscription {{ leaderboardUpdates {{ leaderboard {{ around(userId: "{user_id}") {{ rank }} }} }} }}'

    mine, theirs = {"x-forwarded-for": "192.0.2.1"}, {"x-forwarded-for": "192.0.2.2"}
    async with (
        connected(service.socket_url, additional_headers=mine) as first,
        connected(service.socket_url, additional_headers=mine) as second,
        connected(service.socket_url, additional_headers=theirs) as other,
    ):
        await first.subscribe(around(1), id="a")
        await first.hear_next("a")
        await second.subscribe(around(2), id="b")
        await second.hear_next("b")
        await first.subscribe(around(3), id="c")
        error = await first.hear_error("c")
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert error["extensions"]["retryAfter"] > 0
        await first.subscribe(WATCH, id="d")  # The top of a board is never refused.
        await first.hear_next("d")
        await first.subscribe(around(1), id="e")  # Executed for the first socket already.
        await first.hear_next("e")
        await other.subscribe(around(3), id="f")
        await other.hear_next("f")
        await second.complete("b")
        await until(lambda: len(service.app.hub.budget) == 2)
        await first.subscribe(around(3), id="g")
        await first.hear_next("g")
    await until(lambda: len(service.app.hub.budget) == 0)


async def test_a_user_has_a_cap_on_every_address(service: Service) -> None:
    token = service.player("alice").token
    query = 'subscription { userUpdates(userId: "%s") { kind } }'
    ids = [(await service.player(name).play())["user"]["id"] for name in ("alice", "bob")]
    async with AsyncExitStack() as stack:
        codes = []
        for number, user_id in enumerate(ids, 1):
            headers = {"x-forwarded-for": f"192.0.2.{number}"}
            client = await stack.enter_async_context(
                connected(service.socket_url, f"Bearer {token}", additional_headers=headers)
            )
            await client.subscribe(query % user_id)
            message = await client.hear()
            codes.append(message["payload"][0]["extensions"]["code"] if message["type"] == "error" else None)
        assert codes == [None, "RATE_LIMITED"]
