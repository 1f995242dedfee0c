"""The scenarios of an attack, each with one kind of request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx2

from app.config import Settings
from bench.attack.report import ScenarioResult
from tests.support.graphql.socket_client import connected, connecting
from tests.support.hostile.documents import hostile_documents
from tests.support.hostile.http import RAW, requests
from tests.support.hostile.jwt_builder import (
    access_token_builder,
    action_token_builder,
    forged_access_tokens,
    forged_tokens,
)
from tests.support.hostile.sockets import MESSAGES, OPERATIONS
from tests.support.service import access_token

STANDARD_HEADERS = {"accept": "application/graphql-response+json"}
ME = "{ me { openTokens } }"
SUBMIT = "mutation($t: String!) { submitScore(input: {actionToken: $t}) { __typename ... on UserError { code } } }"
SEED = 20
READ_TIMEOUT = 20.0

Scenario = Callable[["Target"], AsyncIterator[ScenarioResult]]


class Target:
    """A running service, accessed over HTTP and WebSockets."""

    def __init__(self, url: str, settings: Settings, http: httpx2.AsyncClient, documents: int) -> None:
        """Create a target; `documents` hostile documents are sent over HTTP, and a fifth of that over WebSockets."""
        self.url = url
        self.socket_url = url.replace("http", "ws", 1) + "/graphql"
        self.settings = settings
        self.http = http
        self.documents = documents

    async def post(self, query: str, token: str | None = None, **variables: str) -> httpx2.Response:
        """Execute an operation."""
        headers = STANDARD_HEADERS | ({"authorization": f"Bearer {token}".strip()} if token is not None else {})
        return await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)


async def access_tokens(target: Target) -> AsyncIterator[ScenarioResult]:
    """Send forged access tokens over both transports."""
    http, sockets = ScenarioResult("access tokens over HTTP"), ScenarioResult("access tokens over sockets")
    for token in forged_access_tokens(target.settings).values():
        if token.isascii() and "\0" not in token:
            with http.timed():
                reply = await target.post(ME, token)
            http.count(reply.status_code, reply.text)
        with sockets.timed():
            async with connecting(target.socket_url) as client:
                await client.say({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
                code, reason = await client.close_code()
        sockets.count(code, reason)
    yield http
    yield sockets


async def action_tokens(target: Target) -> AsyncIterator[ScenarioResult]:
    """Send forged action tokens, and correctly signed ones that were never issued."""
    result, alice = ScenarioResult("action tokens"), access_token(target.settings, "alice")
    reply = await target.post("{ me { user { id } } }", alice)
    good = action_token_builder(target.settings, reply.json()["data"]["me"]["user"]["id"])
    tokens = forged_tokens(good, access_token_builder(target.settings)) | {"never issued": good.good()}
    for token in tokens.values():
        with result.timed():
            reply = await target.post(SUBMIT, alice, t=token)
        outcome = reply.json().get("data", {}).get("submitScore", {})
        result.count(outcome.get("code") or outcome.get("__typename") or reply.status_code, reply.text)
    yield result


async def http_requests(target: Target) -> AsyncIterator[ScenarioResult]:
    """Send bodies, headers, methods and query strings that are not GraphQL requests."""
    result = ScenarioResult("bodies, headers, query strings")
    for request in requests():
        url = "/graphql" + (f"?{request.query}" if request.query else "")
        with result.timed():
            reply = await target.http.request(
                request.method, url, content=request.body, headers=STANDARD_HEADERS | request.headers
            )
        result.count(reply.status_code, reply.text)
    yield result


async def connections(target: Target) -> AsyncIterator[ScenarioResult]:
    """Open connections that send no HTTP or malformed HTTP."""
    result = ScenarioResult("raw connections")
    host, _, port = target.url.removeprefix("http://").partition(":")
    for sent in RAW.values():
        with result.timed():
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(sent)
                async with asyncio.timeout(READ_TIMEOUT):
                    answer = await reader.read(65_536)
            except ConnectionError:
                answer = b""
            finally:
                writer.close()
        result.count(answer[9:12].decode("latin-1") or "closed", answer.decode("latin-1"))
    yield result


async def messages(target: Target) -> AsyncIterator[ScenarioResult]:
    """Send messages that violate the protocol, and operations that cannot be executed."""
    closed, failed = ScenarioResult("socket messages"), ScenarioResult("socket operations")
    for message in MESSAGES.values():
        with closed.timed():
            async with connected(target.socket_url) as client:
                await client.connection.send(message)
                code, reason = await client.close_code()
        closed.count(code, reason)
    yield closed
    async with connected(target.socket_url) as client:
        for payload in OPERATIONS.values():
            with failed.timed():
                await client.say({"id": "1", "type": "subscribe", "payload": payload})
                answer = await client.hear()
            errors = answer["payload"] if answer["type"] == "error" else answer["payload"]["errors"]
            failed.count(errors[0]["extensions"]["code"], str(errors))
            if answer["type"] == "next":
                await client.hear()
    yield failed


async def documents(target: Target) -> AsyncIterator[ScenarioResult]:
    """Send documents of all shapes that are known to block GraphQL servers, over both transports."""
    http, sockets = ScenarioResult("documents over HTTP"), ScenarioResult("documents over sockets")
    for _, document in hostile_documents(target.documents, SEED):
        with http.timed():
            reply = await target.post(document)
        http.count(reply.status_code, reply.text)
    for _, document in hostile_documents(max(1, target.documents // 5), SEED + 1):
        with sockets.timed():
            async with connected(target.socket_url) as client:
                await client.subscribe(document[:40_000])
                answer = await client.hear()
        codes = answer["payload"][0]["extensions"]["code"] if answer["type"] == "error" else answer["type"]
        sockets.count(codes, str(answer))
    yield http
    yield sockets


SCENARIOS: tuple[Scenario, ...] = (access_tokens, action_tokens, http_requests, connections, messages, documents)


async def attack(target: Target, note: Callable[[str], object] = lambda _: None) -> list[ScenarioResult]:
    """Run all scenarios one after the other; `note` is called with the name of each when it starts."""
    results = []
    for scenario in SCENARIOS:
        note(scenario.__name__.replace("_", " "))
        results += [result async for result in scenario(target)]
    return results
