"""The faults: what each does to an installation, and how it ends.

A fault is an async context manager: what it breaks on entering it has mended on leaving. It takes the random numbers of
its own, so that a run with the same seed breaks the same things.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random

import asyncpg
import redis.exceptions
from sqlalchemy import make_url

from tests.nemesis.installation import Installation
from tests.nemesis.proxy import Proxy

Fault = Callable[[Installation, Random], AbstractAsyncContextManager[None]]

FAULTS: dict[str, Fault] = {}
"""All faults by name. The first word of a name is what breaks: two faults of one run break different things."""

SESSIONS = """
    SELECT pid FROM pg_stat_activity WHERE application_name = 'leaderboard' AND datname = current_database()
"""
TERMINATE = f"SELECT pg_terminate_backend(pid) FROM ({SESSIONS} {{}}) sessions"  # noqa: S608  a constant


def fault(name: str) -> Callable[[Fault], Fault]:
    """Register a fault."""

    def register(function: Fault) -> Fault:
        FAULTS[name] = function
        return function

    return register


# --- PostgreSQL


@fault("postgres frozen")
@asynccontextmanager
async def postgres_frozen(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Stop all of its processes."""
    installation.postgres.freeze()
    try:
        yield
    finally:
        installation.postgres.thaw()


@fault("postgres killed")
@asynccontextmanager
async def postgres_killed(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Kill all of its processes, and start it again."""
    installation.postgres.kill()
    try:
        yield
    finally:
        await installation.postgres.start()


@fault("postgres restarted")
@asynccontextmanager
async def postgres_restarted(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Kill it and start it again at once: connections break, and recovery takes a moment."""
    await installation.postgres.restart()
    yield


@fault("postgres sessions terminated")
@asynccontextmanager
async def sessions_terminated(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Terminate all sessions of the service, again and again."""
    async with _repeatedly(lambda: _terminate(installation), 0.3):
        yield


@fault("postgres session frozen")
@asynccontextmanager
async def session_frozen(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Stop some of the service's sessions; the others go on."""
    with contextlib.ExitStack() as frozen:
        async with installation.postgres_session() as session:
            pids = sorted(row["pid"] for row in await session.fetch(SESSIONS))
        for pid in random.sample(pids, max(1, len(pids) // 2)) if pids else ():
            frozen.enter_context(installation.postgres.frozen(pid))
        yield


@fault("postgres read-only")
@asynccontextmanager
async def postgres_read_only(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Refuse writes, as a server that became a standby does."""
    async with _postgres_setting(installation, "default_transaction_read_only", "on"):
        yield


@fault("postgres commits unanswered")
@asynccontextmanager
async def commits_unanswered(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Let commits wait for a standby that does not exist, and terminate their sessions: nobody is told of them."""
    async with (
        _postgres_setting(installation, "synchronous_standby_names", "nobody"),
        _repeatedly(lambda: _terminate(installation, "AND wait_event = 'SyncRep'"), 0.2),
    ):
        yield


@fault("postgres table locked")
@asynccontextmanager
async def table_locked(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Lock a table against writes, as a migration does."""
    table = random.choice(("score_transactions", "scores", "action_tokens", "users"))
    async with installation.postgres_session() as session, session.transaction():
        await session.execute("SET LOCAL lock_timeout = '20s'")
        await session.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        yield


@fault("postgres without connections")
@asynccontextmanager
async def without_connections(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Terminate the sessions, and refuse new ones, as during a switch-over."""
    async with installation.postgres_session("postgres") as session:
        name = make_url(installation.postgres.url).database
        await session.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        try:
            yield
        finally:
            await session.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


@fault("redis frozen")
@asynccontextmanager
async def redis_frozen(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Stop its process."""
    installation.redis.freeze()
    try:
        yield
    finally:
        installation.redis.thaw()


@fault("redis killed")
@asynccontextmanager
async def redis_killed(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Kill it, and start it again without data."""
    installation.redis.kill()
    try:
        yield
    finally:
        await installation.redis.start()


@fault("redis restarted")
@asynccontextmanager
async def redis_restarted(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Kill it and start it again at once, without data."""
    await installation.redis.restart()
    yield


@fault("redis flushed")
@asynccontextmanager
async def redis_flushed(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Delete everything, once."""
    async with installation.redis_session() as session:
        await session.flushall()
    yield


@fault("redis keys evicted")
@asynccontextmanager
async def redis_evicted(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Delete single keys, as a server without memory does."""
    async with installation.redis_session() as session:
        for key in sorted([key async for key in session.scan_iter()]):
            if random.random() < 0.3:
                await session.delete(key)
    yield


@fault("redis from an old dump")
@asynccontextmanager
async def redis_from_an_old_dump(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Start it again with what it had before: nobody can connect until the old data is there."""
    async with installation.redis_session() as session:
        dump = [(key, await session.pttl(key), await session.dump(key)) async for key in session.scan_iter()]
    yield
    proxies = installation.proxies_of("redis")
    for proxy in proxies:
        proxy.refuse()
    installation.redis.kill()
    await installation.redis.start()
    async with installation.redis_session() as session:
        for key, ttl, value in dump:
            if value is not None:
                await session.restore(key, max(0, ttl), value, replace=True)
    for proxy in proxies:
        proxy.heal()


@fault("redis read-only")
@asynccontextmanager
async def redis_read_only(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Make it a replica of a server that does not exist: it answers reads and refuses writes."""
    async with installation.redis_session() as session:
        await session.execute_command("REPLICAOF", "127.0.0.1", "1")
        try:
            yield
        finally:
            await session.execute_command("REPLICAOF", "NO", "ONE")


@fault("redis out of memory")
@asynccontextmanager
async def redis_out_of_memory(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Refuse whatever needs memory."""
    async with _redis_setting(installation, "maxmemory", "1", "0"):
        yield


@fault("redis without replicas")
@asynccontextmanager
async def redis_without_replicas(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Refuse writes because a replica is missing."""
    async with _redis_setting(installation, "min-replicas-to-write", "1", "0"):
        yield


@fault("redis cannot save")
@asynccontextmanager
async def redis_cannot_save(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Refuse writes because the last snapshot failed: its folder, the root, is not the server's."""
    async with _redis_setting(installation, "save", "3600 1000000", ""), installation.redis_session() as session:
        with contextlib.suppress(redis.exceptions.RedisError):
            await session.bgsave()
        yield


@fault("redis paused")
@asynccontextmanager
async def redis_paused(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Let writes wait, as during a failover; reads are answered."""
    async with installation.redis_session() as session:
        await session.client_pause(60_000, all=False)
        try:
            yield
        finally:
            await session.client_unpause()


@fault("redis connections killed")
@asynccontextmanager
async def redis_connections_killed(installation: Installation, random: Random) -> AsyncIterator[None]:
    """End connections, those of the channels among them, again and again."""

    async def kill() -> None:
        async with installation.redis_session() as session:
            await session.execute_command(
                "CLIENT", "KILL", "TYPE", random.choice(("normal", "pubsub")), "SKIPME", "yes"
            )

    async with _repeatedly(kill, 0.3):
        yield


@fault("redis without scripts")
@asynccontextmanager
async def redis_without_scripts(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Forget the scripts that were loaded."""
    async with installation.redis_session() as session:
        await session.script_flush()
    yield


# --- Instances


@fault("instance killed")
@asynccontextmanager
async def instance_killed(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Kill one instance, and start it again."""
    instance = random.choice(installation.instances)
    await instance.kill()
    try:
        yield
    finally:
        instance.start()


@fault("instance frozen")
@asynccontextmanager
async def instance_frozen(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Stop the process of one instance."""
    instance = random.choice(installation.instances)
    instance.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        instance.signal(signal.SIGCONT)


@fault("instance replaced")
@asynccontextmanager
async def instance_replaced(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Ask one instance to end while it serves, and start it again."""
    instance = random.choice(installation.instances)
    await instance.terminate()
    instance.start()
    yield


@fault("instances killed")
@asynccontextmanager
async def instances_killed(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Kill both instances at once, and start them again at once: what else is broken is broken while they start."""
    for instance in installation.instances:
        await instance.kill()
    for instance in installation.instances:
        instance.start()
    yield


@fault("instance with a wrong clock")
@asynccontextmanager
async def wrong_clock(installation: Installation, random: Random) -> AsyncIterator[None]:
    """Let the clock of one instance be some seconds wrong."""
    instance = random.choice(installation.instances)
    instance.set_clock(random.choice((-40, -5, 5, 40)))
    try:
        yield
    finally:
        instance.set_clock(0)


# --- The network. The store is drawn, and so is whether one instance or both are concerned.


def _network_fault(name: str, begin: Callable[[Proxy, Random], object]) -> None:
    for store in ("postgres", "redis"):

        @fault(f"network of {store} {name}")
        @asynccontextmanager
        async def broken(installation: Installation, random: Random, store: str = store) -> AsyncIterator[None]:
            proxies = installation.proxies_of(store)
            chosen = proxies if random.random() < 0.5 else [random.choice(proxies)]
            for proxy in chosen:
                begin(proxy, random)
            try:
                yield
            finally:
                for proxy in chosen:
                    proxy.heal()


def _slow(proxy: Proxy, random: Random) -> None:
    for direction in (proxy.requests, proxy.answers):
        direction.latency, direction.jitter = random.uniform(0.0, 0.1), random.uniform(0.0, 0.4)


def _narrow(proxy: Proxy, random: Random) -> None:
    proxy.requests.bandwidth = proxy.answers.bandwidth = 20_000


def _lossy(proxy: Proxy, random: Random) -> None:
    """Requests arrive, answers do not; then connections are reset: what was asked is done, and nobody is told."""
    proxy.answers.block()
    asyncio.get_running_loop().call_later(random.uniform(0.1, 2.0), proxy.reset)


def _cut(proxy: Proxy, random: Random) -> None:
    proxy.refuse()
    proxy.reset()


_network_fault("slow", _slow)
_network_fault("narrow", _narrow)
_network_fault("silent", lambda proxy, random: proxy.block())
_network_fault("half open", lambda proxy, random: proxy.half_open())
_network_fault("losing requests", lambda proxy, random: proxy.requests.block())
_network_fault("losing answers", _lossy)
_network_fault("reset", lambda proxy, random: proxy.reset())
_network_fault("cut", _cut)


# --- Tools


@asynccontextmanager
async def _repeatedly(act: Callable[[], Awaitable[None]], interval: float) -> AsyncIterator[None]:
    ended = asyncio.Event()

    async def go_on() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, redis.exceptions.RedisError):
                await act()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), interval)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        ended.set()  # And no cancellation, which a client whose connection is just ending may take for a time-out.
        await asyncio.gather(task, return_exceptions=True)


async def _terminate(installation: Installation, which: str = "") -> None:
    async with installation.postgres_session() as session:
        await session.execute(TERMINATE.format(which))


@asynccontextmanager
async def _postgres_setting(installation: Installation, name: str, value: str) -> AsyncIterator[None]:
    async with installation.postgres_session() as session:
        await session.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await session.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            await session.execute("SET default_transaction_read_only = off")
            await session.execute(f"ALTER SYSTEM RESET {name}")
            await session.execute("SELECT pg_reload_conf()")


@asynccontextmanager
async def _redis_setting(installation: Installation, name: str, value: str, default: str) -> AsyncIterator[None]:
    async with installation.redis_session() as session:
        await session.config_set(name, value)
        try:
            yield
        finally:
            await session.config_set(name, default)
