"""One process of the service in the simulation: its ledger and its hub, wired as the service wires them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, cast
from uuid import UUID

from broadcaster import Broadcast

from app.domain.boards.board import Board
from app.domain.ledger.posting import ScoreChange
from app.pubsub.channels.notices import Notices
from app.pubsub.feed.clock import SystemClock
from app.pubsub.hub import Hub
from app.runtime import Runtime
from app.services.announcements import Announcements
from app.services.board_index import BoardIndex, BoardNotLoaded
from app.services.board_index.missed_writes import MissedWrites
from app.services.boards.postgres_reader import PostgresReader
from app.services.boards.redis_or_postgres_reader import RedisOrPostgresReader
from app.services.boards.redis_reader import RedisReader
from app.services.ledger.account_cache import AccountCache
from app.services.ledger.after_commit import AfterCommit
from app.services.ledger.load import AccountLoader
from app.services.ledger.milestones import Milestones
from app.services.ledger.post import Ledger
from app.services.outbox.recorder import EventRecorder
from app.services.past_answers import PastAnswers
from app.stores.postgres import Database
from app.stores.redis_caller import RedisUnreachable
from tests.simulation.model_postgres import ModelDatabase, ModelPostgres
from tests.simulation.model_redis import (
    ModelBackend,
    ModelBoardIndex,
    ModelPostgresReader,
    ModelRedis,
    ModelRedisReader,
)
from tests.simulation.network import Network, Unreachable

MAX_COMMIT = timedelta(seconds=10)
"""A commit is executed at most this long after its time was taken."""


class Process:
    """The objects of a process, and the tasks that it runs in the background."""

    def __init__(
        self,
        name: str,
        postgres: ModelPostgres,
        redis: ModelRedis,
        random: Random,
        clock: Callable[[], datetime],
        *,
        repairs: bool,
    ) -> None:
        """Create the objects; `repairs` says whether it runs the periodic repair, as the leader does."""
        self.to_postgres = Network(random, timeout=2.0)
        self.to_redis = Network(random, timeout=0.25)
        self.background: list[asyncio.Task[Any]] = []
        self._postgres = postgres
        self._redis = redis
        self._clock = clock
        self._rebuild_requested = asyncio.Event()
        self._regressed_epoch: str | None = None
        loop = asyncio.get_running_loop()
        runtime = Runtime(clock, loop.time, random, random.randbytes)
        model = ModelDatabase(postgres, self.to_postgres)
        database = cast(Database, model)
        self.backend = ModelBackend(redis, self.to_redis, random)
        self.broadcast = Broadcast(backend=self.backend)
        notices = Notices(self.broadcast)
        self.index = ModelBoardIndex(redis, self.to_redis)
        index = cast(BoardIndex, self.index)
        past_answers = PastAnswers(1_000_000, runtime)
        self.missed_writes = MissedWrites(
            database, index, UUID(int=random.getrandbits(128)), lambda: self.hub.invalidate()
        )
        redis_reader = cast(RedisReader, ModelRedisReader(redis, self.to_redis))
        self._reader = RedisOrPostgresReader(
            redis_reader,
            redis_reader,
            redis_reader,
            cast(PostgresReader, ModelPostgresReader(name, model)),
            index,
            self._rebuild_requested.set,
            self._replace_regressed,
            self.missed_writes.is_complete,
            lambda: False,
            past_answers,
            runtime,
        )
        self.hub = Hub(self._reader, self.broadcast, notices, clock=SystemClock(runtime))
        events = EventRecorder((), {}, runtime)
        milestones = Milestones(database, Announcements(notices, past_answers, _nothing).milestone_reached, events)
        self.after_commit = AfterCommit(
            index,
            self.hub.notify_changed,
            self._rebuild_requested.set,
            milestones.handle_rank,
            self.missed_writes.record,
            self._reread_own_writes,
            self.missed_writes.record_unanswered,
            max_batch_size=4,
        )
        self.ledger = Ledger(
            database,
            AccountLoader(database, AccountCache(runtime, max_history=0), max_history=0),
            milestones,
            self.after_commit,
            events,
            runtime,
            max_batch_size=4,
            max_concurrent=random.choice((1, 3)),
            min_second_batch=random.choice((1, 2)),
        )
        self._work: list[Callable[[], Coroutine[Any, Any, object]]] = [
            notices.run,
            self.hub.run,
            milestones.run,
            self.missed_writes.run_refresh,
            partial(self.missed_writes.run_repair, self._put_again),
            self._rebuild,
        ]
        if repairs:
            self._work.append(self._repair_recent)

    async def __aenter__(self) -> Process:
        await self.broadcast.__aenter__()
        self.background = [asyncio.create_task(work()) for work in self._work]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hub.close()
        await self.ledger.drain()
        for task in self.background:
            task.cancel()
        outcomes = await asyncio.gather(*self.background, return_exceptions=True)
        await self.broadcast.__aexit__(None, None, None)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    def _reread_own_writes(self, boards: Collection[Board]) -> None:
        self._reader.outdate(boards)
        self.hub.reread_own_writes(boards)

    def _replace_regressed(self, category: str, epoch: str) -> None:
        self._regressed_epoch = epoch
        self._rebuild_requested.set()

    async def _put_again(self, since: datetime) -> None:
        """Put the rows of everybody who played since a time."""
        tables = self._postgres.tables
        users = {one.user_id for one in tables.transactions if one.created_at >= since - timedelta(seconds=1)}
        changes = [
            ScoreChange(board, user, row, -row.score)
            for board, rows in tables.rows.items()
            for user, row in rows.items()
            if user in users
        ]
        if not changes:
            return
        try:
            outcome = await self.index.put(changes)
        except BoardNotLoaded:
            self._rebuild_requested.set()
        else:
            self.hub.notify_changed(outcome.moves)

    async def _repair_recent(self) -> None:
        """Put again what may have changed since the last success: commits whose answer was lost are nobody's else."""
        since = self._clock()
        while True:
            await asyncio.sleep(5)
            now = self._clock()
            with suppress(RedisUnreachable):
                await self._put_again(since - MAX_COMMIT)
                since = now

    async def _rebuild(self) -> None:
        """Load Redis when it is found without boards, or with boards that went back."""

        def is_due() -> bool:
            return not self._redis.loaded or self._redis.epoch == self._regressed_epoch

        async def execute() -> None:
            if is_due():
                self._redis.rebuild()

        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._rebuild_requested.wait()
            self._rebuild_requested.clear()
            if not is_due():
                continue
            with suppress(Unreachable):
                await self.to_postgres.call(_nothing)
                await self.to_redis.call(execute)


async def _nothing() -> None: ...
