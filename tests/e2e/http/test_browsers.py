"""What people see who open the endpoint in a browser, or call it from a page elsewhere."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from app.config import Settings
from tests.support.graphql.socket_client import connecting
from tests.support.service import Service, serving, settings_for

FOREIGN = "https://game.example.com"
PAGE = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "sec-fetch-mode": "navigate"}


async def preflight(service: Service, origin: str) -> int:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    return (await service.http.options("/graphql", headers=headers)).status_code


async def test_an_origin_that_is_not_allowed_is_logged_once_with_the_setting(service: Service):
    with capture_logs() as logs:
        for _ in range(5):
            await preflight(service, FOREIGN)
        with pytest.raises(Exception, match="403"):
            async with connecting(service.socket_url, additional_headers={"origin": "https://other.example.com"}):
                pass
        await preflight(service, service.url)
    refused = [line for line in logs if line["event"] == "origin_refused"]
    assert [line["origin"] for line in refused] == [FOREIGN, "https://other.example.com"]
    assert all("ALLOWED_ORIGINS" in line["advice"] for line in refused)


async def test_an_allowed_origin_is_not_logged(settings: Settings):
    async with serving(settings.model_copy(update={"allowed_origins": (FOREIGN,)})) as service:
        with capture_logs() as logs:
            assert await preflight(service, FOREIGN) == 200
            assert await preflight(service, "https://other.example.com") == 400
        assert [line["origin"] for line in logs if line["event"] == "origin_refused"] == ["https://other.example.com"]


async def test_a_host_that_is_not_served_is_logged_with_the_setting(service: Service):
    with capture_logs() as logs:
        for _ in range(3):
            reply = await service.http.get("/", headers={"host": "scores.example.com"})
            assert reply.status_code == 421
    (line,) = [line for line in logs if line["event"] == "host_refused"]
    assert (line["host"], "ALLOWED_HOSTS" in line["advice"]) == ("scores.example.com", True)


@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
async def test_a_browser_that_opens_the_endpoint_is_led_to_the_ide(service: Service, path: str):
    reply = await service.http.get(path, headers=PAGE)
    assert (reply.status_code, reply.headers["location"]) == (303, "/graphiql")
    assert (await service.http.get(reply.headers["location"], headers=PAGE)).status_code == 200


async def test_programs_and_operations_are_not_led_there(service: Service):
    for headers in ({}, {"accept": "*/*"}, {"accept": "application/json"}):
        assert (await service.http.get("/graphql", headers=headers)).status_code == 400
    query = {"query": "{ categories { id } }"}
    assert (await service.http.get("/graphql", params=query, headers=PAGE)).status_code == 400
    assert (await service.http.post("/graphql", json=query, headers={"accept": "text/html,*/*"})).status_code == 200


async def test_in_production_there_is_no_ide_to_lead_to(database_url: str, redis_url: str):
    secrets = {"jwt_secret": "a" * 40, "action_token_secret": "b" * 40}
    async with serving(settings_for(database_url, redis_url, environment="production", **secrets)) as service:
        assert (await service.http.get("/graphql", headers=PAGE)).status_code == 400
