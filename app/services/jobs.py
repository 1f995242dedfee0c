"""Jobs: periodic work that one instance, the leader, does for all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from app.domain.errors import ServiceUnavailable
from app.pubsub.channels.cancellation import obey_cancellation
from app.runtime import Runtime
from app.stores.lease import HeldLease, Lease
from app.stores.redis_caller import RedisUnreachable
from app.telemetry.metrics.histogram import JOB_SECONDS, Histogram
from app.telemetry.supervision import end, is_cancelled

log = structlog.get_logger(__name__)

COMPETE_INTERVAL = 5.0
"""Seconds between attempts to become the leader."""

MAX_FIRST_DELAY = 60.0
"""Seconds after the start by which every job is due, since instances may be replaced more often than its interval."""


class JobTimedOut(Exception):
    """A job reached its timeout and was cancelled."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"the job {job.name} did not end within {job.timeout:g} s")


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is done every `interval` seconds, for at most `timeout` seconds each. It must be idempotent."""

    name: str
    interval: float
    timeout: float
    work: Callable[[], Awaitable[object]]


@dataclass(slots=True)
class JobState:
    """Statistics of one job in this process. Durations are in seconds."""

    due: float
    """When the next run is due, on the monotonic clock."""
    runs: int = 0
    """Runs that have ended, with any outcome."""
    failures: int = 0
    """Runs that failed or reached their timeout."""
    running: bool = False
    last_duration: float | None = None
    durations: Histogram = field(default_factory=lambda: Histogram(JOB_SECONDS))
    last_success: datetime | None = None


class Jobs:
    """Runs every job in a task of its own while this instance is the leader.

    A job starts again `interval` seconds after its last run ended, so it never overlaps itself, and no job waits for
    another. When the lease is lost, all jobs are cancelled, before another instance can acquire it. A leader that could
    not notice the loss, as it was frozen, finds its transactions refused.
    """

    def __init__(
        self,
        lease: Lease,
        jobs: Sequence[Job],
        runtime: Runtime,
        compete_interval: float = COMPETE_INTERVAL,
    ) -> None:
        """Prepare the jobs; nothing runs yet.

        Args:
            lease: Elects the leader.
            jobs: All jobs; their names must differ.
            runtime: The source of time.
            compete_interval: Seconds between attempts to become the leader.
        """
        self._lease = lease
        self._jobs = {job.name: job for job in jobs}
        self._clock = runtime.clock
        self._monotonic = runtime.monotonic
        self._compete_interval = compete_interval
        self._is_outage_logged = False
        now = runtime.monotonic()
        self.states: Mapping[str, JobState] = {
            job.name: JobState(due=now + min(job.interval, MAX_FIRST_DELAY)) for job in jobs
        }
        self.is_leader = False

    @property
    def all(self) -> Sequence[Job]:
        """All jobs."""
        return tuple(self._jobs.values())

    async def run(self) -> None:
        """Compete for the lease, and run the jobs while holding it, until cancelled."""
        while True:
            try:
                async with self._lease.attempt() as held:
                    self._is_outage_logged = False
                    if held is not None:
                        await self._lead(held)
            except ServiceUnavailable as error:
                self._log_outage(error)
            await asyncio.sleep(self._compete_interval)

    async def run_one(self, name: str) -> None:
        """Run one job now, whether or not this instance is the leader.

        Raises:
            KeyError: There is no such job.
            JobTimedOut: The job reached its timeout.
            Exception: Any exception of the job itself.
        """
        await _run_with_timeout(self._jobs[name])

    def _log_outage(self, error: ServiceUnavailable) -> None:
        """Log the cause once per outage: the attempts that follow fail for the same reason."""
        if not self._is_outage_logged:
            log.warning("jobs_cannot_start", exc_info=error)
        self._is_outage_logged = True

    async def _lead(self, held: HeldLease) -> None:
        self.is_leader = True
        log.info("jobs_started")
        async with asyncio.TaskGroup() as group:
            with held.fence.applied():
                tasks = [group.create_task(self._repeat(job), name=f"job {job.name}") for job in self._jobs.values()]
            try:
                reason = await held.wait_until_lost()
            finally:
                self.is_leader = False
                await end(tasks)
        log.warning("jobs_stopped", reason=reason)

    async def _repeat(self, job: Job) -> None:
        state = self.states[job.name]
        while True:
            await asyncio.sleep(state.due - self._monotonic())
            await self._run(job, state)
            obey_cancellation()

    async def _run(self, job: Job, state: JobState) -> None:
        """Run `job` once. Failures are counted and logged; only a cancellation of the task itself is raised."""
        started = self._monotonic()
        state.running = True
        try:
            await _run_with_timeout(job)
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
            state.durations.observe(state.last_duration)
            state.due = self._monotonic() + job.interval


async def _run_with_timeout(job: Job) -> None:
    """Do the work of `job` within its timeout. Raises JobTimedOut and the exceptions of the job."""
    limit = asyncio.timeout(job.timeout)
    try:
        async with limit:
            await job.work()
    except TimeoutError as error:
        if limit.expired():
            raise JobTimedOut(job) from error
        raise
