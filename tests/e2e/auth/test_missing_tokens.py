"""A field that needs an access token, asked for without one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.service import Service

GRAPHQL, JSON = "application/graphql-response+json", "application/json"
ISSUE = 'mutation { issueActionToken(input: {actionType: "COMPLETE_LEVEL"}) { __typename } }'

TRANSACTIONS = '{ transactions(userId: "00000000-0000-4000-8000-000000000000") { nodes { id } } }'


async def ask(service: Service, query: str, media: str) -> tuple[int, str | None, dict[str, Any]]:
    reply = await service.http.post("/graphql", json={"query": query}, headers={"accept": media})
    return reply.status_code, reply.headers.get("www-authenticate"), reply.json()


@pytest.mark.parametrize("query", [TRANSACTIONS, f"{TRANSACTIONS[:-1]} again: {TRANSACTIONS[1:]}", ISSUE])
async def test_it_is_401_if_nothing_else_was_answered(service: Service, query: str):
    status, challenge, body = await ask(service, query, GRAPHQL)
    assert (status, challenge) == (401, "Bearer")
    assert {error["extensions"]["code"] for error in body["errors"]} == {"UNAUTHENTICATED"}
    assert not any((body.get("data") or {}).values())
    status, challenge, body = await ask(service, query, JSON)
    assert (status, challenge, body["errors"][0]["extensions"]["code"]) == (200, "Bearer", "UNAUTHENTICATED")


async def test_it_is_200_if_something_was_answered(service: Service):
    query = '{ leaderboard { totalUsers } user(id: "00000000-0000-4000-8000-000000000000") { id } }'
    assert (await ask(service, query, GRAPHQL))[0] == 200
    status, _, body = await ask(service, "{ leaderboard { totalUsers } __typename }", GRAPHQL)
    assert (status, "errors" in body) == (200, False)


async def test_other_errors_keep_their_status(service: Service):
    status, _, body = await ask(service, '{ userRank(userId: "x") { rank } }', GRAPHQL)
    assert (status, body["errors"][0]["extensions"]["code"]) == (200, "BAD_USER_INPUT")


@pytest.mark.parametrize("name", ["", None])
async def test_an_empty_name_of_the_operation_is_none(service: Service, name: str | None):
    body = {"query": "{ categories { id } }", "operationName": name}
    reply = await service.http.post("/graphql", json=body)
    assert (reply.status_code, "data" in reply.json()) == (200, True)
    several = {"query": "query A { categories { id } } query B { categories { id } }", "operationName": name}
    assert "errors" in (await service.http.post("/graphql", json=several)).json()
