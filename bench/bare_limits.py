"""Measure the throughput of the stores alone, which is the upper limit of the service."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from uuid import uuid4

import asyncpg
import redis.asyncio

from app.embedded import Stores
from bench.subjects.stores import Database, create_database
from bench.subjects.subjects import PEERS
from bench.workloads.players import Player

COMMIT_STATEMENT = """
    WITH consumed AS (
        UPDATE action_tokens SET used_at = now() WHERE token_hash = $1 AND used_at IS NULL RETURNING user_id, points
    ), raised AS (
        UPDATE users u SET score = score + points FROM consumed WHERE u.id = user_id RETURNING u.id, u.score, points
    )
    INSERT INTO transactions (user_id, token_hash, delta, score) SELECT id, $1, points, score FROM raised
"""
CONNECTIONS = 20
PIPELINE_SIZE = 64


def commits_per_second(stores: Stores, players: Sequence[Player], seconds: float) -> float:
    """Measure commits of one statement each, on 20 connections with asyncpg."""
    database = create_database(stores, "bare")
    return asyncio.run(_commits(database, players, seconds))


def puts_per_second(stores: Stores, players: Sequence[Player], seconds: float) -> float:
    """Measure ZADD and ZRANK per player, with 64 players in a pipeline, one pipeline at a time."""
    return asyncio.run(_puts(stores.redis_url, players, seconds))


async def _commits(database: Database, players: Sequence[Player], seconds: float) -> float:
    tokens = await _tables(database, players, int(15_000 * seconds))
    committed = 0

    async def one(connection: asyncpg.Connection, until: float) -> None:
        nonlocal committed
        statement = await connection.prepare(COMMIT_STATEMENT)
        while time.perf_counter() < until and tokens:
            await statement.fetch(tokens.pop())
            committed += 1

    async with AsyncExitStack() as stack:
        connections = []
        for _ in range(CONNECTIONS):
            connection = await asyncpg.connect(database.dsn, timeout=10, command_timeout=30)
            stack.push_async_callback(connection.close)
            connections.append(connection)
        begun = time.perf_counter()
        await asyncio.gather(*(one(connection, begun + seconds) for connection in connections))
        return committed / (time.perf_counter() - begun)


async def _tables(database: Database, players: Sequence[Player], count: int) -> list[bytes]:
    tokens = [hashlib.sha256(os.urandom(16)).digest() for _ in range(count)]
    connection = await asyncpg.connect(database.dsn, timeout=10, command_timeout=60)
    try:
        await connection.execute((PEERS / "tables.sql").read_text())
        users = [(player.id, player.name, player.score) for player in players]
        await connection.copy_records_to_table("users", records=users, columns=["id", "username", "score"])
        rows = [(token, players[number % len(players)].id, 50) for number, token in enumerate(tokens)]
        columns = ["token_hash", "user_id", "points"]
        await connection.copy_records_to_table("action_tokens", records=rows, columns=columns)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
    return tokens


async def _puts(url: str, players: Sequence[Player], seconds: float) -> float:
    key, done = f"bare:{uuid4().hex}", 0
    async with redis.asyncio.Redis.from_url(url) as client:
        begun = time.perf_counter()
        while time.perf_counter() < begun + seconds:
            pipe = client.pipeline(transaction=False)
            for number in range(done, done + PIPELINE_SIZE):
                name = players[number % len(players)].name
                pipe.zadd(key, {name: number})
                pipe.zrank(key, name)
            await pipe.execute()
            done += PIPELINE_SIZE
        elapsed = time.perf_counter() - begun
        await client.delete(key)
    return done / elapsed
