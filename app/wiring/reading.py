"""Wiring of everything that reads boards, and of the channels between processes."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from broadcaster import Broadcast

from app.config import Settings
from app.domain.ids import uuid7
from app.pubsub.channels.notices import Notices
from app.pubsub.channels.redis_backend import RedisBackend
from app.pubsub.feed.clock import SystemClock
from app.pubsub.hub import Hub
from app.runtime import Runtime
from app.services.announcements import Announcements
from app.services.board_index.rebuild import Rebuild
from app.services.boards.postgres_reader import PostgresReader
from app.services.boards.redis_or_postgres_reader import RedisOrPostgresReader
from app.services.boards.redis_reader import RedisReader
from app.services.catalogue.cache import CatalogueService
from app.services.players.profile_cache import ProfileCache
from app.stores.redis_clients import open_redis
from app.stores.signal import Signal
from app.wiring.stores import Stores


@dataclass(frozen=True, slots=True)
class ReadServices:
    """The objects that answer queries and subscriptions."""

    backend: RedisBackend
    notices: Notices
    announcements: Announcements
    catalogue: CatalogueService
    profiles: ProfileCache
    board_reader: RedisOrPostgresReader
    rebuild: Rebuild
    hub: Hub


async def create_read_services(
    settings: Settings, stores: Stores, runtime: Runtime, stack: AsyncExitStack
) -> ReadServices:
    """Create everything that reads; its background work is not started."""
    redis_url = settings.redis_url
    assert redis_url is not None
    backend = RedisBackend(
        lambda: open_redis(redis_url, timeout=settings.redis_timeout), runtime, prefix=f"{settings.redis_prefix}:"
    )
    broadcast = await stack.enter_async_context(Broadcast(backend=backend))
    notices = Notices(broadcast)
    catalogue = CatalogueService(stores.database, settings.score_cap)
    profiles = ProfileCache(stores.database, stores.redis, stores.redis_caller, settings.redis_prefix)
    boards_replaced = Signal()
    rebuild = Rebuild(
        stores.database, stores.housekeeping_index, stores.index_loader, catalogue, boards_replaced, runtime
    )
    epoch = f"pg-{uuid7(runtime.clock(), runtime.random_bytes).hex}"
    board_reader = RedisOrPostgresReader(
        RedisReader(stores.board_index, profiles, runtime),
        PostgresReader(stores.replicas, profiles, runtime, epoch, stores.database),
        stores.board_index,
        rebuild.request,
        lambda: stores.database.breaker.is_open,
        runtime,
    )
    hub = Hub(board_reader, broadcast, notices, clock=SystemClock(runtime))
    boards_replaced.connect(hub.invalidate)
    stores.availability_changed.connect(hub.invalidate)
    return ReadServices(backend, notices, Announcements(notices), catalogue, profiles, board_reader, rebuild, hub)
