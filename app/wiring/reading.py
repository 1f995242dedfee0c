"""The reading side: boards from memory, Redis or PostgreSQL, and what keeps them current."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from random import Random
from uuid import UUID

from broadcaster import Broadcast

from app.config import Settings
from app.domain.ids import uuid7
from app.domain.players.milestones import Milestone
from app.pubsub.channels.events import CatalogueChanged, MilestoneReached, ProfileChanged
from app.pubsub.channels.notices import Notices
from app.pubsub.channels.redis_backend import OUTAGES, RedisBackend
from app.pubsub.feed.clock import SystemClock
from app.pubsub.hub import Hub
from app.services.board_index.rebuild import Rebuild
from app.services.boards.postgres_reader import PostgresBoards
from app.services.boards.reader import ReadBoard
from app.services.boards.redis_reader import RedisBoards
from app.services.catalogue.cache import CatalogueService
from app.services.players.profile_cache import ProfileCache
from app.wiring.stores import Stores, new_redis


@dataclass(frozen=True, slots=True)
class ReadingSide:
    """What answers and watches, and the channels between the processes."""

    backend: RedisBackend
    notices: Notices
    catalogue: CatalogueService
    profiles: ProfileCache
    boards: ReadBoard
    rebuild: Rebuild
    hub: Hub

    async def announce_profile(self, user_id: UUID) -> None:
        """Tell all processes that what boards show of a user is different now."""
        with suppress(*OUTAGES):
            await self.notices.publish(ProfileChanged(user_id))

    async def announce_milestone(self, milestone: Milestone) -> None:
        """Tell all processes, and so everybody who watches."""
        with suppress(*OUTAGES):
            await self.notices.publish(MilestoneReached(milestone))

    async def announce_catalogue(self) -> None:
        """Tell all processes to read the catalogue anew."""
        with suppress(*OUTAGES):
            await self.notices.publish(CatalogueChanged())


async def open_reading(
    settings: Settings, stores: Stores, clock: Callable[[], datetime], random: Random, stack: AsyncExitStack
) -> ReadingSide:
    """Everything that reads. Nothing moves before its background work runs."""
    backend = RedisBackend(lambda: new_redis(settings), prefix=f"{settings.redis_prefix}:", random=random)
    broadcast = await stack.enter_async_context(Broadcast(backend=backend))
    notices = Notices(broadcast)
    catalogue = CatalogueService(stores.database, settings.score_cap)
    profiles = ProfileCache(stores.database, stores.redis, stores.redis_caller, settings.redis_prefix)
    rebuild = Rebuild(
        stores.database, stores.bulk, stores.index_loader, catalogue, lambda _: hub.invalidate(), clock, os.urandom
    )
    epoch = f"pg-{uuid7(clock(), os.urandom).hex}"
    boards = ReadBoard(
        RedisBoards(stores.standings, profiles, clock),
        PostgresBoards(stores.replicas, profiles, clock, epoch),
        stores.standings,
        rebuild.request,
        lambda: stores.database.breaker.is_open,
        time.monotonic,
        clock,
    )
    hub = Hub(boards, broadcast, notices, clock=SystemClock(clock))
    stores.database.breaker.on_change = stores.redis_caller.breaker.on_change = hub.invalidate
    return ReadingSide(backend, notices, catalogue, profiles, boards, rebuild, hub)
