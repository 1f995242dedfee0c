"""The keys of the rate limiter in shards, so that a cluster spreads them over its nodes."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast
from zlib import crc32

import orjson
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError

from app.runtime import Runtime
from app.stores.batching import Batcher
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.redis_caller import REDIS_FAILURES, RedisCaller, RedisUnreachable
from app.stores.redis_clients import node_of

CLUSTER_SHARDS = 32
"""Shards in a cluster: at least two for each of ten masters, and few enough for one call of a script for each."""

MAX_BATCH_SIZE = 128
"""Items per round trip."""

MAX_CONCURRENT_BATCHES = 2
"""Round trips to a server at a time. More than one, so that a trial call to a hanging one delays its own batch only."""

MIN_SECOND_BATCH = 16
"""Queued items from which on a second batch starts while one is running, unless the server is in trouble."""


@dataclass(frozen=True, slots=True, eq=False)
class BatchScript:
    """A script that processes one item after the other, in a single call for all items of a shard.

    Its only argument is a JSON array of numbers, which is cheaper to send than as many arguments.

    Attributes:
        script: The script.
        header: The numbers that precede those of the items.
        width: How many results it returns for each item.
    """

    script: AsyncScript
    header: Sequence[int]
    width: int


class ShardItem(NamedTuple):
    """What a script shall process in one shard."""

    shard: int
    script: BatchScript
    keys: Sequence[bytes]
    numbers: Sequence[int]


@dataclass(slots=True)
class _Call:
    script: AsyncScript
    keys: list[bytes]
    numbers: list[int]
    results: int = 0
    """How many results the items so far have."""


class _Server(NamedTuple):
    caller: RedisCaller
    queue: Batcher[ShardItem, Sequence[Any] | None]


class Shards:
    """Places each subject in a shard, and runs scripts there, many items in one round trip per server.

    All keys of a shard have the same hash tag: `{limits}` if there is one shard, else `{limits:0}`, `{limits:1}` and so
    on. The number of shards must be the same in all processes. Each node of a cluster has a queue and a circuit breaker
    of its own, so that nothing waits for a node that it does not concern.
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
        # Of the type Redis for its callers, because it has the same interface.
        self._cluster = cast(RedisCluster, redis) if isinstance(cast(Any, redis), RedisCluster) else None
        self._runtime = runtime
        self._server = self._open(redis_caller)
        self._nodes: dict[str, _Server] = {}

    def __len__(self) -> int:
        return len(self._prefixes)

    @property
    def node_callers(self) -> Sequence[RedisCaller]:
        """The callers of the nodes of a cluster that were called."""
        return [node.caller for node in self._nodes.values()]

    def shard_of(self, subject: str) -> int:
        """Return the shard of a subject, the same in every process."""
        return crc32(subject.encode()) % len(self)

    def key(self, shard: int, name: str) -> bytes:
        """Return a key of a shard."""
        return f"{self._prefixes[shard]}{name}".encode()

    def enqueue(self, item: ShardItem) -> Future[Sequence[Any] | None]:
        """Return the future results of an item, or None in their place if the server does not answer."""
        return self._server_of(item.shard).queue.enqueue(item)

    async def read(self, shard: int, script: AsyncScript, keys: Sequence[bytes]) -> Any:
        """Return what a script that only reads returns. Raises RedisUnreachable if the server does not answer."""
        return await self._server_of(shard).caller(lambda: script(keys=keys))

    def _server_of(self, shard: int) -> _Server:
        if self._cluster is None or (name := node_of(self._cluster, self._prefixes[shard])) is None:
            return self._server
        node = self._nodes.get(name)
        if node is None:
            # A new node may replace one that is gone, whose circuit is open.
            self._nodes = {other: one for other, one in self._nodes.items() if not one.caller.breaker.is_open}
            breaker = CircuitBreaker(f"rate limits on {name}", REDIS_FAILURES, self._runtime)
            node = self._nodes[name] = self._open(RedisCaller(breaker))
        return node

    def _open(self, caller: RedisCaller) -> _Server:
        queue = Batcher[ShardItem, Sequence[Any] | None](
            partial(self._run, caller),
            max_batch_size=MAX_BATCH_SIZE,
            max_concurrent=MAX_CONCURRENT_BATCHES,
            # The scripts process one item after the other, so items with the same keys may share a call.
            key=None,
            name="rate limits",
            min_second_batch=lambda: 1 if caller.breaker.is_open else MIN_SECOND_BATCH,
        )
        return _Server(caller, queue)

    async def _run(self, caller: RedisCaller, items: Sequence[ShardItem]) -> Sequence[Sequence[Any] | None]:
        calls: dict[tuple[int, BatchScript], _Call] = {}
        begins: list[int] = []
        """Where in the answer of its call each item's results begin."""
        for shard, script, keys, numbers in items:
            call = calls.get((shard, script))
            if call is None:
                call = calls[shard, script] = _Call(script.script, [], list(script.header))
            begins.append(call.results)
            call.results += script.width
            call.keys.extend(keys)
            call.numbers.extend(numbers)
        try:
            answers = await caller(lambda: self._execute(list(calls.values())), writes=True)
        except RedisUnreachable:
            return [None] * len(items)
        by_call = dict(zip(calls, answers, strict=True))
        return [
            by_call[item.shard, item.script][begin : begin + item.script.width]
            for item, begin in zip(items, begins, strict=True)
        ]

    async def _execute(self, calls: Sequence[_Call]) -> Sequence[Any]:
        if len(calls) == 1:
            return [await _run_alone(calls[0])]
        pipe = self._redis.pipeline(transaction=False)
        for call in calls:
            # Not `pipe.evalsha`, which the pipeline of a cluster refuses: it cannot load scripts, and need not here.
            pipe.execute_command("EVALSHA", call.script.sha, len(call.keys), *call.keys, orjson.dumps(call.numbers))
        answers = await pipe.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, NoScriptError):
                raise answer
        return [
            await _run_alone(call) if isinstance(answer, NoScriptError) else answer
            for call, answer in zip(calls, answers, strict=True)
        ]


async def _run_alone(call: _Call) -> Any:
    return await call.script(keys=call.keys, args=[orjson.dumps(call.numbers)])
