"""The leader when PostgreSQL freezes or goes away: its jobs stop, and start again with the store."""

from structlog.testing import capture_logs

from tests.support.background_jobs import Work, competing, database_at
from tests.support.stores import BreakableServer
from tests.support.wait_until import until


async def test_a_leader_to_which_postgresql_does_not_answer_stops_and_leads_again_when_it_does(
    postgres_server: BreakableServer,
):
    work = Work("work")
    work.may_end.clear()
    async with database_at(postgres_server.url, timeout=1.0) as database, competing(database, work.job()) as jobs:
        await work.has_begun(1)
        postgres_server.freeze()
        try:
            await until(lambda: not jobs.is_leader and work.concurrent == 0)
        finally:
            postgres_server.thaw()
        await work.has_begun(2)
        assert work.max_concurrent == 1


async def test_jobs_start_again_after_an_outage_whose_cause_is_logged_once(postgres_server: BreakableServer):
    work = Work("work")
    with capture_logs() as logs:
        async with (
            database_at(postgres_server.url, timeout=1.0) as database,
            competing(database, work.job(), compete_interval=0.1) as jobs,
        ):
            await work.has_begun(1)
            postgres_server.kill()
            await until(lambda: not jobs.is_leader, timeout=30)
            await until(lambda: database.breaker.trips > 0, timeout=30)  # Several attempts have failed.
            await postgres_server.start()
            await work.has_begun(work.begun + 1)
    outages = [line for line in logs if line["event"] == "jobs_cannot_start"]
    assert len(outages) == 1
    assert outages[0]["exc_info"].__cause__ is not None
