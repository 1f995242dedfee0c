import httpx2
from starlette.responses import HTMLResponse, JSONResponse, Response

from app.transport.middleware.security_headers import SecurityHeaders


async def get(app: SecurityHeaders) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://board.example") as client:
        return await client.get("/")


async def answer(response: Response, **settings: bool) -> httpx2.Response:
    return await get(SecurityHeaders(response, **settings))


async def test_a_page_may_load_from_its_own_origin_only():
    policy = (await answer(HTMLResponse("<p>"))).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy


async def test_an_answer_that_is_no_page_may_load_nothing():
    headers = (await answer(JSONResponse({}))).headers
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


async def test_browsers_are_told_to_stay_on_https_only_where_that_is_served():
    assert "strict-transport-security" not in (await answer(JSONResponse({}))).headers
    assert "strict-transport-security" in (await answer(JSONResponse({}), https_only=True)).headers
