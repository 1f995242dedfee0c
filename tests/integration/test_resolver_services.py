"""The services that resolvers are given keep their stores private."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from broadcaster import Broadcast
from redis.asyncio import Redis

from app.context import Services
from app.pubsub.channels.notices import Notices
from app.pubsub.channels.redis_backend import RedisBackend
from app.stores.postgres import Database
from app.stores.redis_caller import RedisCaller
from app.stores.replicas import Replicas
from app.wiring import App

STORES = (App, Broadcast, Database, Notices, Redis, RedisBackend, RedisCaller, Replicas)


def public_values(owner: object) -> Iterator[tuple[str, object]]:
    """Yield the public attributes of an instance of one of our classes."""
    if not type(owner).__module__.startswith("app."):
        return
    slots = [name for kind in type(owner).__mro__ for name in getattr(kind, "__slots__", ())]
    for name in {*slots, *getattr(owner, "__dict__", {})}:
        if not name.startswith("_") and hasattr(owner, name):
            yield name, getattr(owner, name)


def reachable(path: str, value: object, visited: dict[int, object]) -> Iterator[tuple[str, object]]:
    """Yield what public attributes lead to, with its path."""
    if id(value) in visited:
        return
    visited[id(value)] = value
    yield path, value
    for name, inner in public_values(value):
        yield from reachable(f"{path}.{name}", inner, visited)


async def test_no_public_attribute_of_a_service_leads_to_a_store(app: App):
    found = dict(reachable("services", Services.of(app), {}))
    assert {f"services.{field.name}" for field in fields(Services)} <= found.keys()
    assert "services.moderation.reviews" in found
    assert [path for path, value in found.items() if isinstance(value, STORES)] == []


async def test_the_walk_would_find_the_stores_of_the_application(app: App):
    found = dict(reachable("app", app, {}))
    assert {type(found[f"app.{name}"]) for name in ("database", "redis_caller", "backend")} == {
        Database,
        RedisCaller,
        RedisBackend,
    }
