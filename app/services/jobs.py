"""Jobs: background work that one instance, the leader, does for all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from app.domain.errors import ServiceUnavailable
from app.pubsub.channels.cancellation import obey_cancellation
from app.services.board_index import RedisUnreachable
from app.stores.leader_lock import HeldLock, LeaderLock
from app.telemetry.supervision import end, is_cancelled

log = structlog.get_logger(__name__)

COMPETE_INTERVAL = 5.0
"""Seconds between attempts to become the leader."""

MAX_FIRST_DELAY = 60.0
"""Seconds after the start by which every job is due: instances may be replaced more often than a job's interval."""


class JobTimedOut(Exception):
    """A job reached its time-out, and was cancelled."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"the job {job.name} did not end within {job.timeout:g} s")


@dataclass(frozen=True, slots=True)
class Job:
    """Work to be done every `interval` seconds, for at most `timeout` seconds. Doing it twice must do no harm."""

    name: str
    interval: float
    timeout: float
    work: Callable[[], Awaitable[object]]


@dataclass(slots=True)
class JobState:
    """What became of the runs of one job in this process. Durations are in seconds."""

    due: float
    """When the next run is due, in monotonic time."""
    runs: int = 0
    """Runs that have ended, whatever their outcome."""
    failures: int = 0
    """Runs that failed or reached their time-out."""
    running: bool = False
    last_duration: float | None = None
    last_success: datetime | None = None


class Jobs:
    """Runs every job in a task of its own while this instance is the leader.

    A job starts again `interval` seconds after its last run ended, so it never overlaps itself, and no job waits for
    another. When the lock is lost, all jobs are cancelled. A new leader waits as long as its predecessor may need to
    notice the loss before it starts any job.
    """

    def __init__(
        self,
        lock: LeaderLock,
        jobs: Sequence[Job],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        compete_interval: float = COMPETE_INTERVAL,
    ) -> None:
        """Prepare the jobs; nothing runs yet.

        Args:
            lock: Elects the leader.
            jobs: All jobs; their names must differ.
            clock: The wall clock, for the time of the last success.
            monotonic: The clock for intervals and durations, in seconds.
            compete_interval: Seconds between attempts to become the leader.
        """
        self._lock = lock
        self._jobs = {job.name: job for job in jobs}
        self._clock = clock
        self._monotonic = monotonic
        self._compete_interval = compete_interval
        self._is_outage_logged = False
        now = monotonic()
        self.states: Mapping[str, JobState] = {
            job.name: JobState(due=now + min(job.interval, MAX_FIRST_DELAY)) for job in jobs
        }
        self.is_leader = False

    @property
    def all(self) -> Sequence[Job]:
        """Every job there is."""
        return tuple(self._jobs.values())

    async def run(self) -> None:
        """Compete for the lock, and run the jobs while holding it. Never returns; to be supervised."""
        while True:
            try:
                async with self._lock.attempt() as held:
                    self._is_outage_logged = False
                    if held is not None:
                        await self._lead(held)
            except ServiceUnavailable as error:
                self._log_outage(error)
            await asyncio.sleep(self._compete_interval)

    async def run_one(self, name: str) -> None:
        """Run one job now, whoever is the leader.

        Raises:
            KeyError: There is no such job.
            JobTimedOut: The job reached its time-out.
            Exception: Whatever the job raises.
        """
        await _bounded(self._jobs[name])

    def _log_outage(self, error: ServiceUnavailable) -> None:
        """Log the cause once per outage: the attempts that follow fail for the same reason."""
        if not self._is_outage_logged:
            log.warning("jobs_cannot_start", exc_info=error)
        self._is_outage_logged = True

    async def _lead(self, held: HeldLock) -> None:
        self.is_leader = True
        log.info("jobs_started")
        not_before = self._monotonic() + self._lock.lease.notice
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._repeat(job, not_before), name=f"job {job.name}") for job in self._jobs.values()
            ]
            try:
                reason = await held.wait_until_lost()
            finally:
                self.is_leader = False
                await end(tasks)
        log.warning("jobs_stopped", reason=reason)

    async def _repeat(self, job: Job, not_before: float) -> None:
        state = self.states[job.name]
        while True:
            await asyncio.sleep(max(state.due, not_before) - self._monotonic())
            await self._run(job, state)
            obey_cancellation()

    async def _run(self, job: Job, state: JobState) -> None:
        """Run `job` once. What goes wrong is counted and logged; only a cancellation of the task itself is raised."""
        started = self._monotonic()
        state.running = True
        try:
            await _bounded(job)
            state.last_success = self._clock()
        except (RedisUnreachable, ServiceUnavailable) as error:
            state.failures += 1
            log.warning("job_postponed", job=job.name, reason=type(error).__name__)
        except (Exception, asyncio.CancelledError):
            if is_cancelled():
                raise
            state.failures += 1
            log.exception("job_failed", job=job.name)
        finally:
            state.running = False
            state.runs += 1
            state.last_duration = self._monotonic() - started
            state.due = self._monotonic() + job.interval


async def _bounded(job: Job) -> None:
    """Do the work of `job`. Raises JobTimedOut, and whatever the job raises."""
    limit = asyncio.timeout(job.timeout)
    try:
        async with limit:
            await job.work()
    except TimeoutError as error:
        if limit.expired():
            raise JobTimedOut(job) from error
        raise
