"""Rate limits, counted in Redis for all instances together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from redis.asyncio import Redis

from app.domain.errors import RateLimited
from app.domain.rate_limits import (
    ALLOWED,
    MINUTE,
    Activity,
    Allowance,
    Blockable,
    Charge,
    Decision,
    Hit,
    Limit,
    Limits,
    allowance,
    user_subject,
)
from app.domain.users import Caller
from app.runtime import Runtime
from app.services.limits.local_limiter import Blocks, LocalLimiter
from app.services.limits.refusal_delay import RefusalDelay
from app.services.limits.shards import BatchScript, ShardItem, Shards
from app.stores.redis_caller import RedisCaller, RedisUnreachable

FOLDER = Path(__file__).parent

SCRIPT = FOLDER / "rate_limiter.lua"
"""The Lua script that decides about hits; its header documents keys, arguments and results."""

MICROSECONDS = 1_000_000
"""Microseconds per second."""

MAX_CACHED_HITS = 20_000
"""Combinations of caller, address and costs whose script arguments are kept."""

MIN_SHARE = 1000
"""The minimum of hits that a shard may have of the limit of everybody, so that a few requests do not use it up."""

MAX_COST_PER_SHARE = 100
"""The cost from which on a request is counted in more than one share of the limit of everybody."""


class _Part(NamedTuple):
    """What one shard decides about a hit: the item of the script, and what its numbers stand for."""

    item: ShardItem
    blockables: Sequence[Blockable]
    charges: Sequence[Charge]


class _PreparedHit(NamedTuple):
    """A hit with its parts: the same for every request with the same caller, address, costs and first share.

    Attributes:
        next_share: The share that the next hit begins with.
    """

    hit: Hit
    parts: Sequence[_Part]
    next_share: int


class RateLimiter:
    """Allows requests within the limits: one round trip for one request, or for many that arrive together.

    Guarantees: a refused request consumes nothing, and is allowed when it is repeated after `retry_after`, unless
    something else was counted meanwhile. While Redis is not reachable every process counts for itself, with half of
    each limit and the same weights. Known blocks are cached in the process, so that a flood of requests costs no calls
    to Redis.

    In a cluster the subjects are spread over shards, which count a request at the same time. When one of them refuses
    it, the others give back what they have counted before the request is answered; until then it counts there. The
    limit of everybody is divided among the shards, and requests use its shares in turn.
    """

    def __init__(
        self,
        redis: Redis,
        redis_caller: RedisCaller,
        limits: Limits | None,
        runtime: Runtime,
        refusal_delay: RefusalDelay,
        *,
        prefix: str,
        shards: int = 1,
    ) -> None:
        """Create a rate limiter.

        Args:
            redis: The client.
            redis_caller: Calls Redis behind a circuit breaker.
            limits: The limits; None allows everything.
            runtime: The source of time for blocks, and for counting without Redis.
            refusal_delay: What the callers who are blocked wait for their refusals.
            prefix: The beginning of all keys.
            shards: The number of hash tags that the keys have, and so of slots of a cluster.
        """
        self._limits = limits
        self._refusal_delay = refusal_delay
        self._shards = Shards(redis, redis_caller, runtime, prefix=prefix, count=shards)
        self._read_windows = redis.register_script((FOLDER / "read_windows.lua").read_text())
        self._give_back = BatchScript(redis.register_script((FOLDER / "give_back.lua").read_text()), (), 0)
        self._prepared = lru_cache(maxsize=MAX_CACHED_HITS)(self._prepare)
        self._blocks = Blocks(runtime)
        self.refused: Counter[str] = Counter()
        """How many requests were refused, by the limit: its name, `blocked_user` or `blocked_address`."""
        if limits is not None:
            blocking = limits.blocking
            header = (blocking.window_seconds * MICROSECONDS, blocking.block_seconds * 1000)
            self._check = BatchScript(redis.register_script(SCRIPT.read_text()), header, 2)
            self._local = LocalLimiter(limits.blocking, runtime)
            self._share_count = max(1, min(shards, limits.service_wide.max_hits // MIN_SHARE))
            self._next_share = 0

    @property
    def node_callers(self) -> Sequence[RedisCaller]:
        """The callers of the nodes of a cluster, for metrics; none without a cluster."""
        return self._shards.node_callers

    def is_blocked(self, caller: Caller | None, address: str) -> bool:
        """Return whether a user, or the address of a caller without a user, is known to be blocked."""
        return self._block_of(caller, address) is not None

    async def refuse_if_blocked(self, caller: Caller | None, address: str) -> None:
        """Refuse a user, or the address of a caller without a user, that is known to be blocked.

        Raises:
            RateLimited: It is blocked; after the delay of refusals.
        """
        decision = self._block_of(caller, address)
        if decision is not None:
            await self._refusal_delay.wait()
            raise self._refusal(decision)

    def _block_of(self, caller: Caller | None, address: str) -> Decision | None:
        if not self._blocks or self._limits is None:
            return None
        for subject, _ in self._limits.blockables(caller, address):
            remaining = self._blocks.remaining_seconds(subject)
            if remaining:
                return Decision(remaining, blocked=subject)
        return None

    async def charge(self, caller: Caller | None, address: str, costs: Mapping[Activity, int]) -> None:
        """Count a request.

        Args:
            caller: The caller; None for an anonymous request.
            address: The client's address.
            costs: The weight of the request per activity.

        Raises:
            RateLimited: The request exceeds a limit, or the user, or the address of a caller without one, is blocked.
            BadUserInput: The request alone exceeds a limit, so it could never be allowed.
        """
        if self._limits is None:
            return
        if self._blocks:
            await self.refuse_if_blocked(caller, address)
        await self._charge(self._prepared(caller, address, tuple(costs.items()), self._next_share))

    async def charge_connection(self, address: str) -> None:
        """Count a WebSocket handshake. Raises RateLimited if there are too many from its address."""
        if self._limits is not None:
            await self._charge(self._split(self._limits.connection_hit(address), self._next_share))

    async def _charge(self, prepared: _PreparedHit) -> None:
        self._next_share = prepared.next_share
        answers = [self._shards.enqueue(part.item) for part in prepared.parts]
        results = [await answer for answer in answers]
        if all(map(_is_counted, results)):
            return
        decision = await self._decide(prepared, results)
        if decision is ALLOWED:
            return
        if decision.blocked is not None:
            self._blocks.add(decision.blocked, decision.retry_after)
        raise self._refusal(decision)

    def _refusal(self, decision: Decision) -> RateLimited:
        """Count a refusal, and return its error."""
        if decision.limit is not None:
            self.refused[decision.limit.name] += 1
        else:
            self.refused["blocked_user" if _is_user(decision) else "blocked_address"] += 1
        return _error(decision)

    async def _decide(self, prepared: _PreparedHit, results: Sequence[Sequence[Any] | None]) -> Decision:
        """Decide about a hit that some shards have refused or not answered; give back what the others have counted."""
        outcomes = [(part, *result) for part, result in zip(prepared.parts, results, strict=True) if result]
        refusals = [_refused(part, wait, which) for part, wait, which in outcomes if wait]
        if refusals:
            decision = max(refusals, key=lambda refusal: (refusal.blocked is not None, refusal.retry_after))
        else:
            decision = self._local.check(prepared.hit)
        if decision is not ALLOWED:
            # A shard that does not answer keeps the hits until they leave its windows.
            counted = [self._refund(part, instant) for part, wait, instant in outcomes if not wait]
            for refund in [self._shards.enqueue(item) for item in counted]:
                await refund
        return decision

    def _refund(self, part: _Part, instant: int) -> ShardItem:
        """Return the item that gives back what was counted at an instant."""
        keys = part.item.keys[2 * len(part.blockables) :]
        numbers = [number for charge in part.charges for number in (charge.cost, instant)]
        return ShardItem(part.item.shard, self._give_back, keys, numbers)

    async def allowances(self, caller: Caller) -> Mapping[Activity, Allowance]:
        """Return what remains of the limits of `caller`; nothing if there are no limits."""
        if self._limits is None:
            return {}
        limits, user = self._limits.user, user_subject(caller)
        shard = self._shards.shard_of(user)
        keys = [self._shards.key(shard, _window(limit, user)) for limit in limits.values()]
        try:
            now, *logs = await self._shards.read(shard, self._read_windows, keys)
        except RedisUnreachable:
            return {activity: self._local.allowance(limit, user) for activity, limit in limits.items()}
        return {
            activity: allowance(limit, [int(instant) / MICROSECONDS for instant in log], now / MICROSECONDS)
            for (activity, limit), log in zip(limits.items(), logs, strict=True)
        }

    def _prepare(
        self, caller: Caller | None, address: str, costs: Sequence[tuple[Activity, int]], first_share: int
    ) -> _PreparedHit:
        assert self._limits is not None
        return self._split(self._limits.hit(caller, address, dict(costs)), first_share)

    def _split(self, hit: Hit, first_share: int) -> _PreparedHit:
        """Return the parts of a hit: one for each shard that has subjects or shares of it."""
        shard_of = self._shards.shard_of
        parts: dict[int, tuple[list[Blockable], list[Charge]]] = {}
        shares = 0
        for blockable in hit.blockables:
            parts.setdefault(shard_of(blockable.subject), ([], []))[0].append(blockable)
        for charge in hit.charges:
            if charge.subject:
                parts.setdefault(shard_of(charge.subject), ([], []))[1].append(charge)
                continue
            shares = min(self._share_count, math.ceil(charge.cost / MAX_COST_PER_SHARE))
            for number in range(shares):
                own = charge._replace(cost=(charge.cost + number) // shares)
                parts.setdefault((first_share + number) % self._share_count, ([], []))[1].append(own)
        split = [self._part(hit, shard, *part) for shard, part in parts.items()]
        return _PreparedHit(hit, split, (first_share + shares) % self._share_count)

    def _part(self, hit: Hit, shard: int, blockables: Sequence[Blockable], charges: Sequence[Charge]) -> _Part:
        keys: list[bytes] = []
        numbers = [len(blockables)]
        for subject, max_overruns in blockables:
            keys += (self._shards.key(shard, f"{name}:{subject}") for name in ("block", "overruns"))
            numbers.append(max_overruns)
        numbers.append(len(charges))
        for limit, subject, cost, blockable in charges:
            keys.append(self._shards.key(shard, _window(limit, subject)))
            own = 0 if blockable is None else blockables.index(hit.blockables[blockable]) + 1
            max_hits = limit.max_hits if subject else limit.max_hits // self._share_count
            numbers += (max_hits, limit.seconds * MICROSECONDS, cost, own)
        return _Part(ShardItem(shard, self._check, keys, numbers), blockables, charges)


def _window(limit: Limit, subject: str) -> str:
    return f"{limit.name}:{subject}"


def _is_counted(result: Sequence[int] | None) -> bool:
    return result is not None and result[0] == 0


def _refused(part: _Part, wait: int, which: int) -> Decision:
    retry_after = wait / MICROSECONDS
    if which < 0:
        return Decision(retry_after, blocked=part.blockables[-which - 1].subject)
    return Decision(retry_after, part.charges[which - 1].limit)


def _is_user(decision: Decision) -> bool:
    """Return whether a user is blocked, and not an address."""
    return (decision.blocked or "").startswith("user:")


def _error(decision: Decision) -> RateLimited:
    retry_after = math.ceil(decision.retry_after)
    limit = decision.limit
    if limit is None:
        whose = "account" if _is_user(decision) else "address"
        return RateLimited(retry_after, f"Too many requests over the limits came from your {whose}.")
    per = "minute" if limit.seconds == MINUTE else f"{limit.seconds} s"
    return RateLimited(retry_after, f"Too many {limit.noun}: {limit.max_hits} per {per} are allowed.")
