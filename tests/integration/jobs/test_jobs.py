"""Jobs run side by side on the instance that holds the lock, each on its own schedule."""

import asyncio
import operator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from app.models.advisory_locks import AdvisoryLock
from app.services.jobs import Job, JobTimedOut
from app.stores.leader_lock import LeaderLock, Lease
from app.stores.postgres import Database
from app.telemetry.supervision import end
from app.wiring import App
from tests.support.background_jobs import QUICK, Work, ask, competing, database_at, holder, instance
from tests.support.wait_until import until, until_answer

SESSIONS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'test'
"""


LOCKS = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
WHERE locktype = 'advisory' AND datname = current_database()
"""
KEY = int(AdvisoryLock.JOBS)


async def test_a_slow_job_does_not_delay_the_others(database_url: str):
    slow, quick = Work("slow"), Work("quick")
    slow.may_end.clear()
    async with instance(database_url, slow.job(), quick.job()) as jobs:
        await slow.has_begun(1)
        await quick.has_begun(quick.begun + 5)
        assert jobs.states["slow"].running
        assert slow.begun == 1


async def test_a_job_never_overlaps_itself(database_url: str):
    work = Work("work")
    work.may_end.clear()
    async with instance(database_url, work.job(interval=0)):
        await work.has_begun(1)
        other = Work("other")
        async with instance(database_url, other.job(interval=0)):
            work.may_end.set()
            await work.has_begun(20)
            assert (work.max_concurrent, other.begun) == (1, 0)


async def test_a_failing_job_is_run_again_on_its_schedule_and_stops_no_other(database_url: str):
    failing, healthy = Work("failing", outcome=lambda: RuntimeError("broken")), Work("healthy")
    with capture_logs() as logs:
        async with instance(database_url, failing.job(), healthy.job()) as jobs:
            await failing.has_begun(4)
            await healthy.has_begun(healthy.begun + 4)
            assert jobs.states["failing"].failures >= 3
            assert jobs.states["failing"].last_success is None
            assert jobs.states["healthy"].failures == 0
    failures = [line for line in logs if line["event"] == "job_failed"]
    assert {line["job"] for line in failures} == {"failing"}
    assert failures[0]["exc_info"]


async def test_a_job_that_awaited_something_cancelled_is_run_again(database_url: str):
    work = Work("work", outcome=asyncio.CancelledError)
    async with instance(database_url, work.job()) as jobs:
        await work.has_begun(3)
        assert jobs.states["work"].failures >= 2
        assert jobs.is_leader


async def test_a_run_that_reaches_its_time_out_is_cancelled_and_the_job_is_run_again(database_url: str):
    stuck = Work("stuck")
    stuck.may_end.clear()
    async with instance(database_url, stuck.job(timeout=0.05)) as jobs:
        await stuck.has_begun(3)
        assert stuck.max_concurrent == 1
        assert jobs.states["stuck"].failures >= 2


async def test_the_state_of_a_job_describes_its_last_run(database_url: str):
    work = Work("work")
    before = datetime.now(UTC)
    async with instance(database_url, work.job(interval=3600), Work("after").job()) as jobs:
        assert jobs.states["work"].last_success is jobs.states["work"].last_duration is None
        assert [job.name for job in jobs.all] == ["work", "after"]
        await until(lambda: jobs.states["after"].runs > 2, timeout=30)
        state = jobs.states["after"]
        assert state.last_success is not None
        assert before <= state.last_success <= datetime.now(UTC)
        assert state.last_duration is not None
        assert state.last_duration >= 0
        assert (jobs.states["work"].runs, work.begun) == (0, 0), "it is due within a minute, not at once"


async def test_one_instance_at_a_time_runs_the_jobs(database_url: str):
    events: list[str] = []
    works = [Work(name, events) for name in ("first", "second", "third")]
    async with instance(database_url, works[0].job()) as leader:
        await works[0].has_begun(1)
        async with instance(database_url, works[1].job()) as second, instance(database_url, works[2].job()) as third:
            await works[0].has_begun(works[0].begun + 20)
            assert (leader.is_leader, second.is_leader, third.is_leader) == (True, False, False)
    assert set(events) == {"first begins", "first ends"}


async def test_a_stop_cancels_the_running_jobs_and_frees_the_lock(database_url: str):
    events: list[str] = []
    first, second = Work("first", events), Work("second", events)
    first.may_end.clear()
    async with instance(database_url, first.job()) as jobs:
        await first.has_begun(1)
    assert events == ["first begins", "first ends"]
    assert not jobs.is_leader
    assert not jobs.states["first"].running
    async with instance(database_url, second.job()):
        await second.has_begun(1)


async def test_a_leader_whose_session_is_terminated_stops_before_the_next_one_begins(database_url: str):
    events: list[str] = []
    first, second = Work("first", events), Work("second", events)
    first.may_end.clear()
    second.may_end.clear()
    async with instance(database_url, first.job(), compete_interval=3600) as old:
        await first.has_begun(1)
        async with instance(database_url, second.job()) as new:
            await ask(database_url, "SELECT pg_terminate_backend($1)", await holder(database_url))
            await second.has_begun(1)
            assert (old.is_leader, new.is_leader) == (False, True)
    assert events == ["first begins", "first ends", "second begins", "second ends"]


async def test_an_idle_session_loses_the_lock(database_url: str):
    """As that of an instance which is frozen: the server does not wait for it."""
    brief = Lease(check_interval=0.2, check_timeout=0.2, idle_timeout=0.5)
    other = Work("other")
    async with database_at(database_url) as database, LeaderLock(database, AdvisoryLock.JOBS, brief).attempt() as held:
        assert held is not None
        async with instance(database_url, other.job()):
            await other.has_begun(1)
        async with asyncio.timeout(10):
            assert "Error" in await held.wait_until_lost()


async def test_the_idle_timeout_must_be_longer_than_the_time_to_detect_a_loss():
    with pytest.raises(ValueError, match="must be longer"):
        Lease(check_interval=1, check_timeout=4, idle_timeout=5)


async def test_the_loss_of_the_lock_within_a_living_session_is_detected(database_url: str):
    async with database_at(database_url) as database, LeaderLock(database, AdvisoryLock.JOBS, QUICK).attempt() as held:
        assert held is not None
        await held._driver.execute("SELECT pg_advisory_unlock_all()")
        async with asyncio.timeout(10):
            assert await held.wait_until_lost() == "the session does not hold the lock"


async def test_the_session_of_the_lock_is_outside_of_the_pool_and_of_transactions(database_url: str):
    async with database_at(database_url) as database:
        async with LeaderLock(database, AdvisoryLock.JOBS, QUICK).attempt() as held:
            assert held is not None
            assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
            state = await ask(
                database_url, "SELECT state FROM pg_stat_activity WHERE pid = $1", await holder(database_url)
            )
            assert state == "idle"
            async with LeaderLock(database, AdvisoryLock.JOBS, QUICK).attempt() as refused:
                assert refused is None
        await until_answer(lambda: ask(database_url, SESSIONS), operator.not_)


async def test_a_cancelled_leader_leaves_neither_the_lock_nor_its_session_behind(database_url: str):
    async with database_at(database_url) as database:
        for _ in range(3):
            work = Work("work")
            work.may_end.clear()
            async with competing(database, work.job()) as jobs:
                await until(lambda jobs=jobs: jobs.is_leader, timeout=30)
            await until_answer(lambda: ask(database_url, SESSIONS), operator.not_)


async def test_an_attempt_that_is_cancelled_leaves_neither_the_lock_nor_its_session_behind(database_url: str):
    async def attempt(database: Database) -> None:
        async with LeaderLock(database, AdvisoryLock.JOBS, QUICK).attempt():
            await asyncio.Event().wait()

    async with database_at(database_url) as database:
        for turns in range(40):  # At each await of the attempt, and some after the last.
            task = asyncio.create_task(attempt(database))
            for _ in range(turns):
                await asyncio.sleep(0)
            await end([task])
            async with database.connect() as connection:
                held = (await connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": KEY})).scalar_one()
            assert not held, f"a session of the pool has the lock after {turns} turns"
        await until_answer(lambda: ask(database_url, LOCKS), operator.not_)


async def test_any_instance_can_run_a_job_on_demand(app: App):
    assert await app.jobs.run_one("close_windows") is None
    with pytest.raises(KeyError):
        await app.jobs.run_one("laundry")


async def test_a_job_on_demand_ends_at_its_time_out(database_url: str):
    async def endless() -> None:
        await asyncio.Event().wait()

    async with instance(database_url, Job("endless", 3600, 0.05, endless)) as jobs:
        with pytest.raises(JobTimedOut, match=r"the job endless did not end within 0\.05 s"):
            await jobs.run_one("endless")
