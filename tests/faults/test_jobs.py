"""The leader when PostgreSQL freezes or goes away: its jobs stop, and start again with the store."""

import os
import signal
from contextlib import suppress

from structlog.testing import capture_logs

from tests.support.background_jobs import Work, competing, database_at, holder, instance
from tests.support.stores import BreakableServer
from tests.support.wait_until import until


async def test_a_leader_whose_session_answers_nothing_stops_before_the_next_one_begins(
    postgres_server: BreakableServer,
):
    events: list[str] = []
    first, second = Work("first", events), Work("second", events)
    first.may_end.clear()
    second.may_end.clear()
    url = postgres_server.url
    async with instance(url, first.job(), compete_interval=3600) as old:
        await first.has_begun(1)
        backend = await holder(url)
        os.kill(backend, signal.SIGSTOP)
        try:
            await until(lambda: not old.is_leader and first.concurrent == 0, timeout=30)
            async with instance(url, second.job()):
                os.kill(backend, signal.SIGCONT)  # It finds its client gone, and the lock is free.
                await second.has_begun(1)
        finally:
            with suppress(ProcessLookupError):
                os.kill(backend, signal.SIGCONT)
    assert events == ["first begins", "first ends", "second begins", "second ends"]


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
