"""Checks of Redis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from app.cli.doctor.findings import Check, Finding, ok, problem, warning
from app.config import Settings
from app.runtime import Runtime
from app.stores.redis_version import UnsupportedRedis, require_supported_version
from app.stores.server_clock import MAX_UNREPORTED_SKEW

SAFE_POLICY = "noeviction"
"""The only policy that evicts no boards: `volatile-*` evicts those of days, weeks and months, which expire."""

MAX_MEMORY_SHARE = 0.8
"""The share of `maxmemory` above which memory is short."""


class RedisChecks:
    """Checks by a client of the service."""

    def __init__(self, settings: Settings, redis: Redis, runtime: Runtime) -> None:
        self._settings = settings
        self._redis = redis
        self._clock = runtime.system_clock

    def all(self) -> list[Check]:
        """Return the checks, in their order."""
        advice = "check REDIS_URL, the network, the server and the permissions (docs/operations/redis.md)"
        return [
            Check("Redis", self.server, advice),
            Check("Redis memory", self.memory, advice),
            Check("Redis persistence", self.persistence, advice),
            Check("clock of Redis", self.clock, advice),
        ]

    async def server(self) -> Iterable[Finding]:
        """Check the version, the mode, and that it accepts writes."""
        check = "Redis"
        try:
            await require_supported_version(self._redis)
        except UnsupportedRedis as error:
            return [problem(check, str(error), "upgrade Redis")]
        facts = await self._info()
        name = f"Valkey {facts['valkey_version']}" if "valkey_version" in facts else f"Redis {facts['redis_version']}"
        found = [ok(check, f"version {name}")]
        if facts.get("cluster_enabled") and not self._settings.redis_cluster_enabled:
            found.append(problem(check, "it is a cluster", "set REDIS_CLUSTER_ENABLED=true"))
        if facts.get("role") == "slave":
            found.append(problem(check, "it is a replica, which accepts no writes", "REDIS_URL must name the master"))
            return found
        key = f"{self._settings.redis_prefix}:doctor"
        await self._redis.set(key, "1", px=1000)
        await self._redis.delete(key)
        return found

    async def memory(self) -> Iterable[Finding]:
        """Check the policy of eviction, and how much memory is left."""
        check = "Redis memory"
        facts = await self._info()
        policy, limit, used = facts.get("maxmemory_policy"), facts.get("maxmemory", 0), facts.get("used_memory", 0)
        found = []
        if policy != SAFE_POLICY:
            found.append(
                warning(
                    check,
                    f"maxmemory-policy is {policy}, which may evict boards; they would be rebuilt each time",
                    "set maxmemory-policy to noeviction",
                )
            )
        if limit and used > MAX_MEMORY_SHARE * limit:
            found.append(warning(check, f"{used / limit:.0%} of maxmemory are used", "raise maxmemory"))
        of_limit = f"of {limit / 1e6:,.0f} MB" if limit else "without a limit"
        return found or [ok(check, f"{used / 1e6:,.0f} MB are used {of_limit}, and the policy is {policy}")]

    async def persistence(self) -> Iterable[Finding]:
        """Check that persistence, which is not needed, does not make Redis refuse writes."""
        check = "Redis persistence"
        facts = await self._info()
        failed = [
            name
            for name in ("rdb_last_bgsave_status", "aof_last_bgrewrite_status", "aof_last_write_status")
            if facts.get(name, "ok") != "ok"
        ]
        if failed:
            return [
                problem(
                    check,
                    f"saving has failed ({', '.join(failed)}), so that Redis may refuse writes",
                    "free disk space, or switch persistence off: the boards are rebuilt from PostgreSQL",
                )
            ]
        return [ok(check, "append-only file" if facts.get("aof_enabled") else "nothing has failed; it is not needed")]

    async def clock(self) -> Iterable[Finding]:
        """Compare the clock of this machine with that of Redis, by which rate limits are counted."""
        check = "clock of Redis"
        asked = self._clock()
        seconds, microseconds = await self._redis.time()
        duration = self._clock() - asked
        server = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
        skew = asked + duration / 2 - server
        text = f"this machine is {skew.total_seconds():+.1f} s from it"
        if abs(skew) - duration / 2 > MAX_UNREPORTED_SKEW:
            return [warning(check, text, "synchronise the clocks of both machines (NTP)")]
        return [ok(check, text)]

    async def _info(self) -> Mapping[str, Any]:
        """Return what Redis says about itself; of a cluster, what one node says."""
        facts: Mapping[str, Any] = await self._redis.info("everything")
        return facts if "redis_version" in facts else next(iter(facts.values()))
