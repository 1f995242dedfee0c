"""The real service against sockets that break the protocol."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from websockets.exceptions import InvalidStatus

from app.config import Settings
from tests.support.graphql.socket_client import connected, connecting
from tests.support.hostile.sockets import MESSAGES, OPERATIONS
from tests.support.service import Service, serving

CODES = {1007, 1009, 4400, 4401, 4429}


@pytest.mark.parametrize("acknowledged", [True, False], ids=["acknowledged", "new"])
async def test_every_hostile_message_closes_with_a_code_that_says_so(
    service: Service, capfd: pytest.CaptureFixture[str], acknowledged: bool
):
    for name, message in MESSAGES.items():
        if name == "init again" and not acknowledged:
            continue
        async with connecting(service.socket_url, max_size=None) as client:
            if acknowledged:
                await client.init()
            await client.connection.send(message)
            code, reason = await client.close_code()
        assert code in CODES, (name, code, reason)
        assert "Traceback" not in reason, name
    captured = capfd.readouterr()
    assert "Traceback" not in captured.out + captured.err


async def test_an_operation_that_fails_ends_with_an_error_and_the_socket_stays(service: Service):
    async with connected(service.socket_url) as client:
        for name, payload in OPERATIONS.items():
            await client.say({"id": "1", "type": "subscribe", "payload": payload})
            message = await client.hear()
            if message["type"] == "next":
                errors = message["payload"]["errors"]
                assert (await client.hear())["type"] == "complete"
            else:
                assert message["type"] == "error", name
                errors = message["payload"]
            (error,) = errors
            assert error["extensions"]["code"] not in ("", "INTERNAL_SERVER_ERROR"), (name, error)
            assert await client.is_alive(), name


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": ""},
        {"Host": "evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Host": ""},
    ],
    ids=str,
)
async def test_a_socket_from_a_foreign_page_or_under_a_foreign_name_is_refused(
    service: Service, headers: dict[str, str]
):
    with pytest.raises(InvalidStatus) as refused:
        async with connecting(service.socket_url, additional_headers=headers):
            pass
    assert refused.value.response.status_code in (400, 403)


async def test_our_own_page_may_open_a_socket(service: Service):
    async with connecting(service.socket_url, origin=service.url) as client:
        await client.init()


async def test_where_documents_must_be_trusted_sockets_run_no_others(settings: Settings, tmp_path: Path):
    trusted = "subscription Live { leaderboardUpdates { version } }"
    manifest = tmp_path / "manifest.json"
    manifest.write_bytes(
        orjson.dumps(
            {
                "format": "apollo-persisted-query-manifest",
                "version": 1,
                "operations": [{"id": "live", "name": "Live", "type": "subscription", "body": trusted}],
            }
        )
    )
    enforced = settings.model_copy(
        update={"trusted_documents_file": str(manifest), "trusted_documents_mode": "enforce"}
    )
    async with serving(type(settings).model_validate(enforced.model_dump())) as service:
        async with connected(service.socket_url) as client:
            for id, payload in {"text": {"query": trusted}, "id": {"documentId": "live"}}.items():
                await client.say({"id": id, "type": "subscribe", "payload": payload})
                await client.hear_next(id)
            for query in ("{ __typename }", "subscription { leaderboardUpdates { version epoch } }"):
                await client.subscribe(query)
                while (message := await client.hear())["id"] != "1":
                    pass
                (error,) = message["payload"]
                assert error["extensions"]["code"] == "QUERY_NOT_IN_SAFELIST"
        refused = await service.anonymous.post("{ __typename }")
        assert refused.json()["errors"][0]["extensions"]["code"] == "QUERY_NOT_IN_SAFELIST"
