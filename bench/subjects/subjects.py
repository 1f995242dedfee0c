"""The servers that are measured: how to fill their stores, start them and create action tokens in advance."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from urllib.request import Request, urlopen
from uuid import uuid4

import asyncpg
import redis

from app.config import Settings, load_settings
from app.embedded import Stores
from app.models.migrate import upgrade
from app.runtime import Runtime
from app.services.auth.signing_keys import SigningKeys
from app.services.submissions.action_token_codec import ActionTokenClaims, ActionTokenCodec, hash_of
from bench.subjects.processes import Server, start
from bench.subjects.stores import Database, create_database
from bench.workloads.documents import ACTION, POINTS
from bench.workloads.players import Player

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"
NODE_PEER = PEERS / "node"
UNREACHABLE_LIMIT = 100_000_000
LOAD_TIMEOUT = 600


class Subject(Protocol):
    """A server under measurement."""

    name: str

    def fill(self, players: Sequence[Player]) -> None:
        """Create the tables and put `players` on the board, once before the first start."""

    def start(self, workers: int = 1) -> Server:
        """Start the server.

        Raises:
            StartError: The server does not start.
        """

    def action_tokens(self, players: Sequence[Player]) -> list[str]:
        """Return a new action token for each of `players`, which may contain a player more than once."""


def python(name: str) -> list[str]:
    """Return the command that runs one of the Python servers."""
    return [sys.executable, "-m", "bench.subjects.serve", name]


class Service:
    """The service with all rules; limits per client are so high that the load does not reach them."""

    def __init__(self, name: str, stores: Stores, *, program: str = "ours", **settings: object) -> None:
        self.name = name
        self._program = program
        word = name.replace(" ", "_").replace(",", "")
        self._database = create_database(stores, word)
        self._environment = {
            "DATABASE_URL": self._database.url,
            "REDIS_URL": stores.redis_url,
            "REDIS_PREFIX": word,
            "LOG_LEVEL": "WARNING",
            "MAX_OPEN_TOKENS": str(UNREACHABLE_LIMIT),
            "SUBJECT_IS_USER_ID": "true",
            "WS_MAX_CONNECTIONS": "20000",
            "MAX_RUNNING_OPERATIONS": str(UNREACHABLE_LIMIT),
            "MAX_RUNNING_OPERATIONS_PER_USER": str(UNREACHABLE_LIMIT),
            "MAX_RUNNING_OPERATIONS_PER_ADDRESS": str(UNREACHABLE_LIMIT),
            "WS_MAX_CONNECTIONS_PER_ADDRESS": "20000",
            "RATE_LIMIT_CONNECTIONS_PER_ADDRESS": "1000000",
            **{f"RATE_LIMIT_{limit}": str(UNREACHABLE_LIMIT) for limit in _LIMITS},
            **{key.upper(): str(value) for key, value in settings.items()},
        }
        self.settings = settings_of(self._environment)

    def fill(self, players: Sequence[Player]) -> None:
        """Insert users and all-time scores by COPY."""
        upgrade(self._database.url)
        now = datetime.now(UTC)

        async def copy(connection: asyncpg.Connection) -> None:
            await connection.copy_records_to_table(
                "users",
                records=((player.id, player.name, player.name) for player in players),
                columns=("id", "username", "claimed_username"),
            )
            columns = ("category_id", "period", "window_start", "user_id", "score", "sort_key", "reached_at")
            start = datetime(1970, 1, 1, tzinfo=UTC).date()
            await connection.copy_records_to_table(
                "scores",
                records=(
                    ("global", "ALL_TIME", start, player.id, player.score, -player.score, now) for player in players
                ),
                columns=columns,
            )

        self._database.run(copy)
        self._database.settle()

    def start(self, workers: int = 1) -> Server:
        """Start the server and wait until the board is loaded into Redis."""
        server = start(python(self._program), environment(self._environment), workers=workers)
        _await_board(server)
        return server

    def action_tokens(self, players: Sequence[Player]) -> list[str]:
        """Return signed tokens, after inserting their rows by COPY."""
        now = datetime.now(UTC).replace(microsecond=0)
        signer = ActionTokenCodec(
            SigningKeys(self.settings.action_token_secret.get_secret_value()), Runtime(clock=lambda: now), capacity=1
        )
        tokens, rows = [], []
        for player in players:
            nonce = uuid4().hex
            claims = ActionTokenClaims(player.id, ACTION, POINTS, hash_of(nonce), now, now + timedelta(hours=1))
            tokens.append(signer.sign(claims, "global", nonce))
            rows.append((claims.token_hash, player.id, ACTION, POINTS, now, claims.expires_at))
        columns = ("token_hash", "user_id", "action_id", "points", "issued_at", "expires_at")
        _copy(self._database, "action_tokens", rows, columns)
        return tokens


class Peer:
    """Another server with the same players in its own tables and keys."""

    def __init__(self, name: str, command: Sequence[str], stores: Stores, settings: Settings, **more: str) -> None:
        """Create the database of a server.

        Args:
            name: The name of the subject; also that of its database, and the prefix of its keys in Redis.
            command: The command that starts the server.
            stores: The private stores.
            settings: The settings by which access tokens are signed.
            more: Further environment variables.
        """
        self.name = name
        self._word = name.replace(" ", "_").replace(",", "")
        self._command = command
        self._redis_url = stores.redis_url
        self._database = create_database(stores, self._word)
        self._environment = {
            "PREFIX": self._word,
            "DATABASE_URL": self._database.dsn if command[0] != sys.executable else self._database.url,
            "REDIS_URL": stores.redis_url,
            "JWT_SECRET": settings.jwt_secret.get_secret_value(),
            "JWT_AUDIENCE": settings.jwt_audience,
            **more,
        }

    def fill(self, players: Sequence[Player]) -> None:
        """Insert users by COPY, and write the board and the names to Redis."""
        tables = (PEERS / "tables.sql").read_text()

        async def create(connection: asyncpg.Connection) -> None:
            await connection.execute(tables)

        self._database.run(create)
        users = [(player.id, player.name, player.score) for player in players]
        _copy(self._database, "users", users, ("id", "username", "score"))
        self._database.settle()
        with redis.Redis.from_url(self._redis_url) as client, client.pipeline(transaction=False) as pipe:
            for player in players:
                pipe.zadd(f"{self._word}:board", {player.name: player.score})
                pipe.hset(f"{self._word}:names", player.name, player.name)
            pipe.execute()

    def start(self, workers: int = 1) -> Server:
        """Start the server."""
        return start(self._command, environment(self._environment), workers=workers)

    def action_tokens(self, players: Sequence[Player]) -> list[str]:
        """Return random tokens, after inserting their rows by COPY."""
        tokens = [uuid4().hex for _ in players]
        rows = [
            (hashlib.sha256(token.encode()).digest(), player.id, POINTS)
            for token, player in zip(tokens, players, strict=True)
        ]
        _copy(self._database, "action_tokens", rows, ("token_hash", "user_id", "points"))
        return tokens


def idiomatic(stores: Stores, settings: Settings) -> Peer:
    """Return a server as tutorials build it, with Strawberry, the ORM and Redis."""
    return Peer("idiomatic", python("idiomatic"), stores, settings)


def node(stores: Stores, settings: Settings, name: str = "node", **more: str) -> Peer | None:
    """Return a server with Mercurius and graphql-ws; None if Node or its packages are not installed."""
    program = shutil.which("node")
    if program is None or not (NODE_PEER / "node_modules").is_dir():
        return None
    return Peer(name, [program, str(NODE_PEER / "server.mjs")], stores, settings, **more)


def node_with_limits(stores: Stores, settings: Settings) -> Peer | None:
    """Return the Node server with limits on queries and boards of all periods: see `bench/peers/node/scores.mjs`."""
    return node(stores, settings, "node, limits and periods", EVERYTHING="1")


def start_bare() -> Server:
    """Start Starlette alone, which parses and returns JSON."""
    return start(python("bare"), environment({}))


def settings_of(variables: dict[str, str]) -> Settings:
    """Return the settings of a process with these environment variables."""
    return load_settings(_env_file=None, **{name.lower(): value for name, value in variables.items()})


def environment(variables: dict[str, str]) -> dict[str, str]:
    """Return the environment of a child process that can import this package from any folder."""
    return {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]]), **variables}


_LIMITS = (
    "ISSUE_PER_USER", "SUBMIT_PER_USER", "QUERY_PER_USER",
    "QUERY_PER_ADDRESS", "ISSUE_PER_ADDRESS", "SUBMIT_PER_ADDRESS",
    "ANONYMOUS_PER_ADDRESS", "GLOBAL_PER_SECOND",
)  # fmt: skip


def _copy(database: Database, table: str, rows: Sequence[tuple[object, ...]], columns: Sequence[str]) -> None:
    async def copy(connection: asyncpg.Connection) -> None:
        await connection.copy_records_to_table(table, records=rows, columns=columns)

    database.run(copy)


def _await_board(server: Server) -> None:
    """Until the board is read from Redis, the service answers from PostgreSQL: that is not what is measured."""
    body = json.dumps({"query": "{ leaderboard(limit: 1) { source } }"}).encode()
    headers = {"content-type": "application/json"}
    request = Request(f"http://127.0.0.1:{server.port}/graphql", body, headers)
    deadline = time.monotonic() + LOAD_TIMEOUT
    while time.monotonic() < deadline:
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            if json.load(answer)["data"]["leaderboard"]["source"] in ("REDIS", "MEMORY"):
                return
        time.sleep(0.2)
    raise TimeoutError("the board was not loaded into Redis")
