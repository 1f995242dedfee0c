"""The real service against requests that no client of ours would make."""

from __future__ import annotations

import asyncio
import json

import httpx2
import pytest

from tests.support.hostile.http import RAW, Request, requests
from tests.support.service import Service
from tests.support.wait_until import TIMEOUT


def sent_by(service: Service, request: Request) -> httpx2.Request:
    url = "/graphql" + (f"?{request.query}" if request.query else "")
    headers = {"accept": "application/graphql-response+json"} | request.headers
    return service.http.build_request(request.method, url, content=request.body, headers=headers)


async def test_every_hostile_request_gets_a_clear_4xx_in_json(service: Service, capfd: pytest.CaptureFixture[str]):
    for request in requests():
        reply = await service.http.send(sent_by(service, request))
        assert reply.status_code in range(400, 500) if request.refused else reply.status_code < 500, request.name
        if request.method == "HEAD":
            continue
        assert reply.headers["content-type"].startswith("application/"), request.name
        body = reply.json()
        if request.refused:
            assert "data" not in body, request.name
            (error,) = body["errors"]
            assert error["message"], request.name
            assert error["extensions"]["code"] not in ("INTERNAL_SERVER_ERROR", ""), request.name
        assert "Traceback" not in reply.text, request.name
        assert "tracing" not in reply.text, request.name
    assert (await service.anonymous.ask("{ __typename }"))["__typename"] == "Query"
    captured = capfd.readouterr()
    assert "Traceback" not in captured.out + captured.err


@pytest.mark.parametrize("name", RAW)
async def test_a_connection_that_speaks_badly_is_answered_with_4xx_or_closed(service: Service, name: str):
    host, _, port = service.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(RAW[name])
        async with asyncio.timeout(TIMEOUT):
            answer = await reader.read(65_536)
    except ConnectionError:
        answer = b""
    finally:
        writer.close()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert b"Traceback" not in answer
    assert (await service.http.get("/livez")).status_code == 200


DEEP = '{"a":' * 900 + "1" + "}" * 900
ISSUE = 'mutation($m: JSON) { issueActionToken(input: {actionType: "COMPLETE_LEVEL", metadata: $m}) { __typename } }'


@pytest.mark.parametrize(
    "metadata", [DEEP, '"\\u0000"', '{"\\u0000":1}', "1e308", "9" * 300, "-0.0", "[null]", '"' + "x" * 60_000 + '"']
)
async def test_odd_values_of_free_form_are_taken_or_refused_and_never_a_fault(service: Service, metadata: str):
    player = service.player()
    body = json.dumps({"query": ISSUE})[:-1] + f', "variables": {{"m": {metadata}}}}}'
    headers = {"content-type": "application/json", "authorization": f"Bearer {player.token}"}
    reply = await service.http.post("/graphql", content=body, headers=headers)
    codes = [error["extensions"]["code"] for error in reply.json().get("errors", [])]
    assert codes in ([], ["BAD_USER_INPUT"]), reply.text
    literal = "[" * 150 + "]" * 150
    document = ISSUE.replace("$m: JSON", "$x: Int").replace("metadata: $m", f"metadata: {literal}, difficulty: null")
    reply = await player.post(document.replace("($x: Int)", ""))
    assert reply.status_code < 500


INSTANTS = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-14:00",
    "1969-12-31T23:59:59Z",
    "2024-02-30T00:00:00Z",
    "2024-01-01",
    "2024-01-01T00:00:00",
    "2024-01-01T24:00:00Z",
    "99999-01-01T00:00:00Z",
    "-1",
    "",
    "now",
    "\u0000",
]


@pytest.mark.parametrize("period", ["ALL_TIME", "DAILY", "WEEKLY", "MONTHLY"])
@pytest.mark.parametrize("instant", INSTANTS)
async def test_no_instant_is_a_fault(service: Service, instant: str, period: str):
    document = "query($at: DateTime!, $p: Period!) { leaderboard(at: $at, period: $p) { version } }"
    reply = await service.anonymous.post(document, at=instant, p=period)
    codes = [error["extensions"]["code"] for error in reply.json().get("errors", [])]
    assert codes in ([], ["BAD_USER_INPUT"]), reply.text
