"""The faults: what each does to an installation, and how it ends.

A fault is an async context manager: what it breaks on entering it has mended on leaving. It takes the random numbers of
its own, so that a run with the same seed breaks the same things.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random

from tests.nemesis.installation import Installation

Fault = Callable[[Installation, Random], AbstractAsyncContextManager[None]]

FAULTS: dict[str, Fault] = {}
"""All faults by name. The first word of a name is what breaks: two faults of one run break different things."""

PREFIX_OF_SESSIONS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


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


# --- Redis


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
