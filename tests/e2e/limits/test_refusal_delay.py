"""Callers who go on sending although all of it is refused get few answers, and nobody else waits for them."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx2
import pytest

from app.config import Settings
from tests.support.graphql.socket_client import connected
from tests.support.service import Service, settings_for
from tests.support.wait_until import until

QUERY = "{ categories { id } }"
MOST = 3


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return settings_for(
        database_url,
        redis_url,
        rate_limit_enabled=True,
        rate_limit_refusal_delay=4,
        rate_limit_refused_per_address=MOST,
        rate_limit_query_per_user=MOST,
        rate_limit_anonymous_per_address=MOST,
        rate_limit_block_overruns=2,
    )


async def over_the_limit_of_a_user(service: Service) -> Callable[[], Awaitable[httpx2.Response]]:
    mallory = service.player("mallory")
    for _ in range(MOST + 2):
        await mallory.post(QUERY)
    return lambda: mallory.post(QUERY)


async def over_the_limit_of_callers_without_a_token(service: Service) -> Callable[[], Awaitable[httpx2.Response]]:
    for _ in range(MOST + 2):
        await service.anonymous.post(QUERY)
    return lambda: service.anonymous.post(QUERY)


async def over_the_limit_of_malformed_requests(service: Service) -> Callable[[], Awaitable[httpx2.Response]]:
    for _ in range(MOST):
        await service.http.post("/graphql", content=b"{", headers={"content-type": "application/json"})
    return lambda: service.anonymous.post(QUERY)


async def over_the_limit_of_unknown_paths(service: Service) -> Callable[[], Awaitable[httpx2.Response]]:
    for _ in range(MOST):
        await service.http.get("/nothing/here")
    return lambda: service.http.get("/nothing/here")


@pytest.mark.parametrize(
    "overrun",
    [
        over_the_limit_of_a_user,
        over_the_limit_of_callers_without_a_token,
        over_the_limit_of_malformed_requests,
        over_the_limit_of_unknown_paths,
    ],
)
async def test_a_caller_waits_for_a_certain_refusal_and_others_are_served_meanwhile(
    service: Service, overrun: Callable[[Service], Awaitable[Callable[[], Awaitable[httpx2.Response]]]]
):
    send_again = await overrun(service)
    refusal = asyncio.ensure_future(send_again())
    await until(lambda: service.app.refusal_delay.waiting == 1)
    assert (await service.player("alice").post(QUERY)).status_code == 200
    assert not refusal.done()
    assert (await refusal).status_code == 429


async def test_an_operation_on_a_socket_waits_for_its_refusal_too(service: Service):
    mallory = service.player("mallory")
    async with connected(service.socket_url, f"Bearer {mallory.token}") as socket:
        for _ in range(MOST + 2):
            await mallory.post(QUERY)
        await socket.subscribe(QUERY)
        await until(lambda: service.app.refusal_delay.waiting == 1)
        assert (await socket.hear_error())["extensions"]["code"] == "RATE_LIMITED"
