"""Jobs run side by side on the instance that holds the lease, each on its own schedule."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from app.services.jobs import Job, JobTimedOut
from app.stores.fencing import LeaseLost
from app.stores.lease import LeaseTimes
from app.stores.postgres import Database
from app.telemetry.supervision import end
from app.wiring import App
from tests.support.background_jobs import Work, ask, competing, database_at, expire, instance, lease_at
from tests.support.wait_until import until, until_answer

EXPIRY = "SELECT expires_at FROM leases WHERE name = 'test'"
HELD = "SELECT count(*) FROM leases WHERE name = 'test' AND expires_at > clock_timestamp()"


@asynccontextmanager
async def row_locked(url: str) -> AsyncIterator[None]:
    """Keep every statement from changing the lease during the block."""
    async with database_at(url) as database, database.begin() as connection:
        await connection.execute(text("SELECT FROM leases WHERE name = 'test' FOR UPDATE"))
        yield


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


async def test_a_stop_cancels_the_running_jobs_and_releases_the_lease(database_url: str):
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


async def test_a_leader_whose_lease_expires_stops_and_another_instance_begins(database_url: str):
    events: list[str] = []
    first, second = Work("first", events), Work("second", events)
    first.may_end.clear()
    second.may_end.clear()
    async with instance(database_url, first.job(), compete_interval=3600) as old:
        await first.has_begun(1)
        await expire(database_url)
        await until(lambda: not old.is_leader and first.concurrent == 0)
        async with instance(database_url, second.job()) as new:
            await second.has_begun(1)
            assert (old.is_leader, new.is_leader) == (False, True)
    assert events == ["first begins", "first ends", "second begins", "second ends"]


async def test_a_leader_that_cannot_renew_its_lease_stops_before_another_instance_can_begin(database_url: str):
    brief = LeaseTimes(duration=2.0, renew_interval=0.1, margin=0.5)
    async with database_at(database_url) as database, lease_at(database, brief).attempt() as held:
        assert held is not None
        async with asyncio.timeout(30), row_locked(database_url):
            assert await held.wait_until_lost() == "the lease expired"
            assert await ask(database_url, HELD) == 1, "PostgreSQL keeps the lease for the margin"


async def test_a_lease_is_renewed_for_as_long_as_it_is_held(database_url: str):
    brief = LeaseTimes(duration=2.0, renew_interval=0.1, margin=0.5)
    async with database_at(database_url) as database, lease_at(database, brief).attempt() as held:
        assert held is not None
        lost = asyncio.create_task(held.wait_until_lost())
        first = await ask(database_url, EXPIRY)
        await until_answer(lambda: ask(database_url, EXPIRY), lambda expiry: expiry > first + timedelta(seconds=2))
        assert not lost.done()
        await end([lost])


async def test_the_times_of_a_lease_leave_time_for_a_renewal():
    with pytest.raises(ValueError, match="must be longer"):
        LeaseTimes(duration=3, renew_interval=2, margin=1)


async def test_only_one_of_many_instances_gets_an_expired_lease_and_its_token_grows(database_url: str):
    async def attempt(database: Database, release: asyncio.Event) -> int | None:
        async with lease_at(database).attempt() as held:
            if held is None:
                return None
            await release.wait()
            return held.fence.token

    async with database_at(database_url) as database:
        for token in (1, 2, 3):
            release = asyncio.Event()
            tasks = [asyncio.create_task(attempt(database, release)) for _ in range(20)]
            await until(lambda tasks=tasks: sum(task.done() for task in tasks) == 19)
            release.set()
            assert sorted(await asyncio.gather(*tasks), key=str) == [token, *[None] * 19]


async def test_a_leader_that_was_frozen_cannot_commit_what_its_job_began(database_url: str):
    async with database_at(database_url) as database, lease_at(database).attempt() as frozen:
        assert frozen is not None
        with frozen.fence.applied():
            async with database.begin() as connection:
                await connection.execute(text("SELECT 1"))
            await expire(database_url)
            with pytest.raises(LeaseLost):
                async with database.begin():
                    pytest.fail("the transaction began without the lease")
            async with database_at(database_url) as other, lease_at(other).attempt() as held:
                assert held is not None
                assert held.fence.token == frozen.fence.token + 1
                with pytest.raises(LeaseLost):
                    async with database.begin():
                        pytest.fail("the transaction began with the lease of another instance")
        async with database.begin() as connection:
            await connection.execute(text("SELECT 1"))  # What is no job needs no lease.


async def test_no_other_instance_becomes_the_leader_while_a_transaction_of_a_job_is_open(database_url: str):
    async with (
        database_at(database_url) as database,
        database_at(database_url) as other,
        lease_at(database).attempt() as old,
    ):
        assert old is not None
        with old.fence.applied():
            async with database.begin():
                await expire(database_url)
                async with lease_at(other).attempt() as held:
                    assert held is None
        async with lease_at(other).attempt() as held:
            assert held is not None


async def test_a_transaction_of_a_job_does_not_delay_the_renewal_of_the_lease(database_url: str):
    async with database_at(database_url) as database:
        lease = lease_at(database)
        async with lease.attempt() as held:
            assert held is not None
            with held.fence.applied():
                async with database.begin():
                    assert await lease.renew(held.fence) is not None


async def test_the_lease_takes_no_connection_from_the_pool_between_its_renewals(database_url: str):
    async with database_at(database_url) as database, lease_at(database).attempt() as held:
        assert held is not None
        assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_a_leader_that_stops_leaves_the_lease_to_the_next(database_url: str):
    async with database_at(database_url) as database:
        for token in (1, 2, 3):
            work = Work("work")
            work.may_end.clear()
            async with competing(database, work.job()) as jobs:
                await until(lambda jobs=jobs: jobs.is_leader, timeout=30)
                assert await ask(database_url, "SELECT token FROM leases WHERE name = 'test'") == token
            assert await ask(database_url, HELD) == 0


async def test_an_attempt_that_is_cancelled_does_not_keep_the_lease(database_url: str):
    async def attempt(database: Database) -> None:
        async with lease_at(database).attempt():
            await asyncio.Event().wait()

    async with database_at(database_url) as database:
        for turns in range(40):  # At each await of the attempt, and some after the last.
            task = asyncio.create_task(attempt(database))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert await ask(database_url, HELD) == 0, f"after {turns} turns"


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
