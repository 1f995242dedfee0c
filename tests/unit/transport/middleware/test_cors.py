import httpx2
import pytest
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from app.transport.middleware.cors import allow_origins


@pytest.fixture
def app() -> ASGIApp:
    return allow_origins(JSONResponse({}, headers={"etag": "x"}), ["https://app.example/"])


async def request(app: ASGIApp, method: str, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://board.example") as client:
        return await client.request(method, "/graphql", headers={k.replace("_", "-"): v for k, v in headers.items()})


async def test_a_listed_origin_may_ask_for_json_and_read_what_matters(app: ASGIApp):
    asked = "authorization,content-type,apollo-require-preflight,x-apollo-operation-name"
    preflight = await request(
        app,
        "OPTIONS",
        origin="https://app.example",
        access_control_request_method="POST",
        access_control_request_headers=asked,
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    answer = await request(app, "POST", origin="https://app.example")
    assert "retry-after" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_another_origin_may_not(app: ASGIApp):
    preflight = await request(app, "OPTIONS", origin="https://evil.example", access_control_request_method="POST")
    assert preflight.status_code == 400
    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in (await request(app, "POST", origin="https://evil.example")).headers
