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
from app.pubsub.feed.view_budget import ViewLimits
from app.pubsub.hub import Hub
from app.runtime import Runtime
from app.services.announcements import Announcements
from app.services.board_index.missed_writes import MissedWrites
from app.services.board_index.rebuild import Rebuild
from app.services.boards.entry_metadata import EntryMetadata
from app.services.boards.postgres_reader import PostgresReader
from app.services.boards.redis_or_postgres_reader import RedisOrPostgresReader
from app.services.boards.redis_reader import RedisReader
from app.services.catalogue.cache import CatalogueService
from app.services.past_answers import PastAnswers
from app.services.players.profile_cache import ProfileCache
from app.services.players.profile_generation import ProfileGeneration
from app.stores.redis_clients import ClusterChannelServers, SingleChannelServer
from app.stores.signal import Signal
from app.wiring.stores import Stores


@dataclass(frozen=True, slots=True)
class ReadServices:
    """The objects that answer queries and subscriptions.

    Attributes:
        caches_outdated: Called when what caches in memory have of users may no longer be in PostgreSQL.
    """

    backend: RedisBackend
    notices: Notices
    announcements: Announcements
    catalogue: CatalogueService
    profiles: ProfileCache
    profile_generation: ProfileGeneration
    caches_outdated: Signal
    past_answers: PastAnswers
    board_reader: RedisOrPostgresReader
    missed_writes: MissedWrites
    rebuild: Rebuild
    hub: Hub
    entry_metadata: EntryMetadata


async def create_read_services(
    settings: Settings, stores: Stores, runtime: Runtime, stack: AsyncExitStack
) -> ReadServices:
    """Create everything that reads; its background work is not started."""
    redis_url = settings.redis_url
    assert redis_url is not None
    channel_servers = ClusterChannelServers if settings.redis_cluster_enabled else SingleChannelServer
    backend = RedisBackend(
        channel_servers(redis_url, timeout=settings.redis_timeout), runtime, prefix=f"{settings.redis_prefix}:"
    )
    broadcast = await stack.enter_async_context(Broadcast(backend=backend))
    notices = Notices(broadcast)
    catalogue = stores.catalogue
    caches_outdated, boards_replaced, copies_changed = Signal(), Signal(), Signal()
    profile_generation = ProfileGeneration(stores.database, caches_outdated)
    profiles = ProfileCache(
        stores.database, stores.redis, stores.redis_caller, settings.redis_prefix, profile_generation
    )
    missed_writes = MissedWrites(
        stores.database, stores.board_index, uuid7(runtime.clock(), runtime.random_bytes), copies_changed
    )
    rebuild = Rebuild(
        stores.database,
        stores.housekeeping_index,
        stores.index_loader,
        catalogue,
        boards_replaced,
        profile_generation.begin_next,
        runtime,
    )
    past_answers = PastAnswers(settings.past_cache_bytes, runtime)
    epoch = f"pg-{uuid7(runtime.clock(), runtime.random_bytes).hex}"
    board_reader = RedisOrPostgresReader(
        RedisReader(stores.board_index, profiles, runtime),
        RedisReader(stores.feed_views_index, profiles, runtime),
        RedisReader(stores.query_views_index, profiles, runtime),
        PostgresReader(stores.replicas, stores.deep, stores.past, profiles, runtime, epoch),
        stores.board_index,
        rebuild.request,
        rebuild.report_regression,
        missed_writes.is_complete,
        lambda: stores.database.breaker.is_open,
        past_answers,
        runtime,
    )
    view_limits = ViewLimits(
        settings.max_views,
        settings.max_views_per_address,
        settings.max_views_per_user,
        settings.max_lookups_per_board,
    )
    hub = Hub(board_reader, broadcast, notices, clock=SystemClock(runtime), view_limits=view_limits)
    entry_metadata = EntryMetadata(stores.database, catalogue, backend.healthy.is_set)
    caches_outdated.connect(profiles.invalidate_all)
    caches_outdated.connect(entry_metadata.invalidate_all)
    caches_outdated.connect(past_answers.clear)
    for signal in (caches_outdated, boards_replaced, copies_changed, stores.availability_changed):
        signal.connect(hub.invalidate)
    return ReadServices(
        backend,
        notices,
        Announcements(notices, past_answers, profile_generation.begin_next),
        catalogue,
        profiles,
        profile_generation,
        caches_outdated,
        past_answers,
        board_reader,
        missed_writes,
        rebuild,
        hub,
        entry_metadata,
    )
