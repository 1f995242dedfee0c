"""Addresses as limits count them, behind a proxy."""

import pytest

from app.config import Settings
from tests.support.service import Service, settings_for

QUERY = {"query": "{ categories { id } }"}
REFUSED = 429


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return settings_for(
        database_url,
        redis_url,
        rate_limit_enabled=True,
        trusted_proxies="127.0.0.1",
        rate_limit_anonymous_per_address=2,
        rate_limit_refused_per_address=2,
        rate_limit_network_factor=2,
    )


async def ask(service: Service, address: str) -> int:
    headers = {"accept": "application/graphql-response+json", "x-forwarded-for": address}
    return (await service.http.post("/graphql", json=QUERY, headers=headers)).status_code


async def send_malformed(service: Service, address: str) -> int:
    headers = {
        "accept": "application/graphql-response+json",
        "content-type": "application/json",
        "x-forwarded-for": address,
    }
    return (await service.http.post("/graphql", content=b"{", headers=headers)).status_code


async def test_the_addresses_of_one_64_network_are_one(service: Service):
    assert [await ask(service, f"2001:db8:7:1::{number}") for number in range(1, 4)] == [200, 200, REFUSED]


async def test_the_64_networks_of_one_48_network_have_a_common_limit(service: Service):
    statuses = [await ask(service, f"2001:db8:7:{number}::1") for number in range(1, 6)]
    assert statuses == [200] * 4 + [REFUSED]
    assert await ask(service, "2001:db8:8:1::1") == 200


async def test_refused_requests_count_for_the_48_network_too(service: Service):
    statuses = [await send_malformed(service, f"2001:db8:7:{number}::1") for number in range(1, 6)]
    assert statuses == [400] * 4 + [REFUSED]
    assert await send_malformed(service, "2001:db8:8:1::1") == 400


async def test_an_ipv4_address_is_the_same_when_it_is_written_as_ipv6(service: Service):
    spellings = ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201")
    assert [await ask(service, spelling) for spelling in spellings] == [200, 200, REFUSED]
    assert await ask(service, "::ffff:192.0.2.2") == 200
