"""The keys of the rate limiter in shards, so that a cluster spreads them over its nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from zlib import crc32

import orjson
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError

from app.runtime import Runtime
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.redis import REDIS_FAILURES, RedisCaller, RedisUnreachable
from app.stores.redis_clients import server_of

CLUSTER_SHARDS = 32
"""Shards in a cluster: at least two for each of ten masters, and few enough for one call of a script for each."""


class ShardCall(NamedTuple):
    """The keys and the numbers of one call of a script."""

    keys: Sequence[bytes]
    numbers: Sequence[int]


class Shards:
    """Places each subject in a shard, and calls scripts on many shards in one round trip per server.

    All keys of a shard have the same hash tag: `{limits}` if there is one shard, else `{limits:0}`, `{limits:1}` and so
    on. The number of shards must be the same in all processes.
    """

    def __init__(self, redis: Redis, redis_caller: RedisCaller, runtime: Runtime, *, prefix: str, count: int) -> None:
        """Create shards.

        Args:
            redis: The client.
            redis_caller: Calls a server that is no node of a cluster, or a node that is not known.
            runtime: The source of time of the circuit breakers of nodes.
            prefix: The beginning of all keys.
            count: The number of shards.
        """
        tags = [f"limits:{shard}" for shard in range(count)] if count > 1 else ["limits"]
        self._prefixes = [f"{prefix}:{{{tag}}}:" for tag in tags]
        self._redis = redis
        self._redis_caller = redis_caller
        self._runtime = runtime
        self._node_callers: dict[str, RedisCaller] = {}

    def __len__(self) -> int:
        return len(self._prefixes)

    @property
    def has_open_circuit(self) -> bool:
        """Whether the last calls of a server failed."""
        return self._redis_caller.breaker.is_open or any(
            caller.breaker.is_open for caller in self._node_callers.values()
        )

    @property
    def node_callers(self) -> Sequence[RedisCaller]:
        """The callers of the nodes of a cluster that were called."""
        return list(self._node_callers.values())

    def shard_of(self, subject: str) -> int:
        """Return the shard of a subject, the same in every process."""
        return crc32(subject.encode()) % len(self)

    def key(self, shard: int, name: str) -> bytes:
        """Return a key of a shard."""
        return f"{self._prefixes[shard]}{name}".encode()

    async def call(
        self, script: AsyncScript, calls: Mapping[int, ShardCall], *, writes: bool
    ) -> Mapping[int, Sequence[Any]]:
        """Call a script once for each shard, on all servers at the same time.

        Args:
            script: The script. Its only argument is a JSON array, which is cheaper to send than as many arguments.
            calls: The keys and numbers by shard.
            writes: Whether the script writes.

        Returns:
            The answers by shard. Those of a server that did not answer all of its calls are missing.
        """
        by_server: dict[str | None, dict[int, ShardCall]] = {}
        for shard, call in calls.items():
            by_server.setdefault(server_of(self._redis, self._prefixes[shard]), {})[shard] = call
        if len(by_server) == 1:  # So it is without a cluster: no task is needed.
            return await self._call_server(*by_server.popitem(), script, writes)
        answers: dict[int, Sequence[Any]] = {}
        for of_server in await asyncio.gather(
            *(self._call_server(server, own, script, writes) for server, own in by_server.items())
        ):
            answers |= of_server
        return answers

    async def _call_server(
        self, server: str | None, calls: Mapping[int, ShardCall], script: AsyncScript, writes: bool
    ) -> Mapping[int, Sequence[Any]]:
        execute = partial(self._execute, script, list(calls.values()))
        try:
            answers = await self._caller_of(server)(execute, writes=writes)
        except RedisUnreachable:
            return {}
        return dict(zip(calls, answers, strict=True))

    async def _execute(self, script: AsyncScript, calls: Sequence[ShardCall]) -> Sequence[Any]:
        if len(calls) == 1:
            return [await _run(script, calls[0])]
        pipe = self._redis.pipeline(transaction=False)
        for keys, numbers in calls:
            # Not `pipe.evalsha`, which the pipeline of a cluster refuses: it cannot load scripts, and need not here.
            pipe.execute_command("EVALSHA", script.sha, len(keys), *keys, orjson.dumps(numbers))
        answers = await pipe.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, NoScriptError):
                raise answer
        return [
            await _run(script, call) if isinstance(answer, NoScriptError) else answer
            for call, answer in zip(calls, answers, strict=True)
        ]

    def _caller_of(self, server: str | None) -> RedisCaller:
        """Return the caller of a server. Each node of a cluster has its own: one that is down affects no other."""
        if server is None:
            return self._redis_caller
        caller = self._node_callers.get(server)
        if caller is None:
            # A new node may replace one that is gone, whose circuit is open.
            self._node_callers = {name: one for name, one in self._node_callers.items() if not one.breaker.is_open}
            breaker = CircuitBreaker(f"rate limits on {server}", REDIS_FAILURES, self._runtime)
            caller = self._node_callers[server] = RedisCaller(breaker)
        return caller


async def _run(script: AsyncScript, call: ShardCall) -> Any:
    return await script(keys=call.keys, args=[orjson.dumps(call.numbers)])
