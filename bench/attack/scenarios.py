"""The waves of an attack, each of one kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx2

from app.config import Settings
from bench.attack.report import Tally
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

STANDARD = {"accept": "application/graphql-response+json"}
ME = "{ me { openTokens } }"
SUBMIT = "mutation($t: String!) { submitScore(input: {actionToken: $t}) { __typename ... on UserError { code } } }"
SEED = 20
LONGEST_WAIT = 20.0

Wave = Callable[["Target"], AsyncIterator[Tally]]


class Target:
    """A running service, reached over HTTP and by sockets."""

    def __init__(self, url: str, settings: Settings, http: httpx2.AsyncClient, documents: int) -> None:
        """`documents`: how many hostile documents are sent over HTTP, and a fifth of them over a socket."""
        self.url = url
        self.socket_url = url.replace("http", "ws", 1) + "/graphql"
        self.settings = settings
        self.http = http
        self.documents = documents

    async def post(self, query: str, token: str | None = None, **variables: str) -> httpx2.Response:
        """One operation."""
        headers = STANDARD | ({"authorization": f"Bearer {token}".strip()} if token is not None else {})
        return await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)


async def access_tokens(target: Target) -> AsyncIterator[Tally]:
    """Forged access tokens, over both ways in."""
    http, sockets = Tally("access tokens over HTTP"), Tally("access tokens over sockets")
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


async def action_tokens(target: Target) -> AsyncIterator[Tally]:
    """Forged action tokens, and well signed ones that nobody issued."""
    tally, alice = Tally("action tokens"), access_token(target.settings, "alice")
    reply = await target.post("{ me { user { id } } }", alice)
    good = action_token_builder(target.settings, reply.json()["data"]["me"]["user"]["id"])
    tokens = forged_tokens(good, access_token_builder(target.settings)) | {"never issued": good.good()}
    for token in tokens.values():
        with tally.timed():
            reply = await target.post(SUBMIT, alice, t=token)
        outcome = reply.json().get("data", {}).get("submitScore", {})
        tally.count(outcome.get("code") or outcome.get("__typename") or reply.status_code, reply.text)
    yield tally


async def http_requests(target: Target) -> AsyncIterator[Tally]:
    """Bodies, headers, methods and query strings that are no GraphQL request."""
    tally = Tally("bodies, headers, query strings")
    for request in requests():
        url = "/graphql" + (f"?{request.query}" if request.query else "")
        with tally.timed():
            reply = await target.http.request(
                request.method, url, content=request.body, headers=STANDARD | request.headers
            )
        tally.count(reply.status_code, reply.text)
    yield tally


async def connections(target: Target) -> AsyncIterator[Tally]:
    """Connections that do not speak HTTP, or badly."""
    tally = Tally("raw connections")
    host, _, port = target.url.removeprefix("http://").partition(":")
    for sent in RAW.values():
        with tally.timed():
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(sent)
                async with asyncio.timeout(LONGEST_WAIT):
                    answer = await reader.read(65_536)
            except ConnectionError:
                answer = b""
            finally:
                writer.close()
        tally.count(answer[9:12].decode("latin-1") or "closed", answer.decode("latin-1"))
    yield tally


async def messages(target: Target) -> AsyncIterator[Tally]:
    """Messages that break the protocol of sockets, and operations that cannot run."""
    closed, failed = Tally("socket messages"), Tally("socket operations")
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


async def documents(target: Target) -> AsyncIterator[Tally]:
    """Documents of every shape that has blocked a GraphQL server, over both ways in."""
    http, sockets = Tally("documents over HTTP"), Tally("documents over sockets")
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


WAVES: tuple[Wave, ...] = (access_tokens, action_tokens, http_requests, connections, messages, documents)


async def attack(target: Target, note: Callable[[str], object] = lambda _: None) -> list[Tally]:
    """All waves, one after the other. `note` is told the name of each as it begins."""
    tallies = []
    for wave in WAVES:
        note(wave.__name__.replace("_", " "))
        tallies += [tally async for tally in wave(target)]
    return tallies
