"""The service as tests use it: its objects in this process, or a real server and a player's client."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx2

from app.config import Settings, load_settings
from app.domain.users import Caller, Role
from app.runtime import utc_now
from app.server import Server, config
from app.services.auth.access_tokens import mint
from app.services.auth.signing_keys import SigningKeys
from app.wiring import App, open_app
from tests.support.runtime import runtime_for
from tests.support.wait_until import TIMEOUT

ISSUE = """
mutation Issue($input: IssueActionTokenInput!) {
  issueActionToken(input: $input) {
    __typename
    ... on ActionTokenIssued { actionToken scoreValue expiresAt }
    ... on UserError { code message }
  }
}
"""
SUBMIT = """
mutation Submit($input: SubmitScoreInput!) {
  submitScore(input: $input) {
    __typename
    ... on ScoreAccepted {
      transactionId previousScore newScore scoreDelta previousRank currentRank user { id username }
    }
    ... on ActionTokenUsed { receipt { transactionId newScore scoreDelta } }
    ... on RetryableError { retryAfter }
    ... on UserError { code message }
  }
}
"""
BOARD = """
query Board($category: String! = "global", $period: Period! = ALL_TIME, $limit: Int! = 10) {
  leaderboard(category: $category, period: $period, limit: $limit) {
    id epoch version source stale totalUsers
    entries { id rank competitionRank tiedWith score user { id username } }
  }
}
"""


def settings_for(database_url: str, redis_url: str, **more: Any) -> Settings:
    """Settings of one test: its own database, its own names in Redis, small pools, no limits in the way."""
    defaults: dict[str, Any] = {
        "database_url": database_url,
        "redis_url": redis_url,
        "redis_prefix": f"t{uuid4().hex[:8]}",
        "db_pool_min": 2,
        "db_pool_max": 20,
        "redis_timeout": 1.0,  # A machine that is busy with other tests is no fault of Redis.
        "rate_limit_enabled": False,
        "rate_limit_refusal_delay": 0,
        "log_submissions": 0,
        "port": 0,
        "_env_file": None,
    }
    return load_settings(**(defaults | more))


def caller(name: str = "alice", role: Role = Role.PLAYER) -> Caller:
    """A caller with an id of its own, and a token that does not expire during a test."""
    return Caller(uuid4(), name, None, role, int(time.time()) + 3600)


def access_token(settings: Settings, subject: str = "alice", role: Role = Role.PLAYER, ttl: int = 900) -> str:
    """An access token as the identity provider would make it."""
    return mint(
        SigningKeys(settings.jwt_secret.get_secret_value()),
        subject=subject,
        role=role,
        ttl=ttl,
        issuer=settings.issuers[0],
        now=int(time.time()),
    )


@asynccontextmanager
async def opened(
    settings: Settings, clock: Callable[[], datetime] = utc_now, *, housekeeping: bool = True, loaded: bool = True
) -> AsyncIterator[App]:
    """Open the services, with every category loaded in Redis unless `loaded` is false.

    Without `housekeeping` no job runs in the background: a test that counts what a job does runs it by itself.
    """
    async with open_app(settings, runtime_for(clock), housekeeping=housekeeping) as app:
        if loaded:
            await app.rebuild.ensure_loaded()
        yield app


@dataclass
class Player:
    """Somebody with an access token and an HTTP client."""

    http: httpx2.AsyncClient
    token: str | None
    headers: dict[str, str] = field(default_factory=dict)

    async def post(self, query: str, **variables: Any) -> httpx2.Response:
        """The raw answer to an operation."""
        headers = {"accept": "application/graphql-response+json", **self.headers}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        return await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation that succeeds."""
        body = (await self.post(query, **variables)).json()
        assert "errors" not in body, body
        data: dict[str, Any] = body["data"]
        return data

    async def fails(self, query: str, **variables: Any) -> dict[str, Any]:
        """The extensions of the one error of an operation that fails."""
        body = (await self.post(query, **variables)).json()
        (error,) = body["errors"]
        extensions: dict[str, Any] = error["extensions"]
        return extensions

    async def issue(self, action: str = "COMPLETE_LEVEL", **more: Any) -> str:
        """A new action token."""
        issued = (await self.ask(ISSUE, input={"actionType": action, **more}))["issueActionToken"]
        assert issued["__typename"] == "ActionTokenIssued", issued
        token: str = issued["actionToken"]
        return token

    async def submit(self, action_token: str) -> dict[str, Any]:
        """The outcome of a submission."""
        outcome: dict[str, Any] = (await self.ask(SUBMIT, input={"actionToken": action_token}))["submitScore"]
        return outcome

    async def play(self, action: str = "COMPLETE_LEVEL", **more: Any) -> dict[str, Any]:
        """The outcome of an action from beginning to end."""
        return await self.submit(await self.issue(action, **more))


@dataclass
class Service:
    """A running server."""

    url: str
    settings: Settings
    http: httpx2.AsyncClient
    app: App

    @property
    def socket_url(self) -> str:
        """Where sockets go."""
        return self.url.replace("http", "ws", 1) + "/graphql"

    def player(self, subject: str | None = None, role: Role = Role.PLAYER) -> Player:
        """Somebody of that name, or of a name of their own."""
        return Player(self.http, access_token(self.settings, subject or f"user-{uuid4().hex[:12]}", role))

    @property
    def anonymous(self) -> Player:
        """Somebody without an access token."""
        return Player(self.http, None)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Service]:
    """A real server in this process, on a free port, with every category loaded."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        made = config(settings)
        made.load()
        server = Server(made)
        server.lifespan = made.lifespan_class(made)
        await server.startup([listener])
        assert not server.should_exit, "the server did not start"
        await server.lifespan.state["app"].rebuild.ensure_loaded()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with httpx2.AsyncClient(base_url=url, timeout=TIMEOUT) as http:
                yield Service(url, settings, http, server.lifespan.state["app"])
        finally:
            await server.shutdown([listener])


def user_id(outcome: dict[str, Any]) -> UUID:
    """The id of the user whom an outcome is about."""
    return UUID(outcome["user"]["id"])
