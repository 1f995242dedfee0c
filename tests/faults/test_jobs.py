"""The leader when PostgreSQL freezes or goes away: its jobs stop, and start again with the store."""

import asyncio
import os
import signal

from structlog.testing import capture_logs

from tests.support.background_jobs import QUICK, Work, holder, instance
from tests.support.stores import BreakableServer
from tests.support.waiting import until


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
            await until(lambda: not old.is_leader and first.at_once == 0, timeout=30)
            async with instance(url, second.job()):
                os.kill(backend, signal.SIGCONT)  # It finds its client gone, and the lock is free.
                await second.has_begun(1)
        finally:
            os.kill(backend, signal.SIGCONT)
    assert events == ["first begins", "first ends", "second begins", "second ends"]


async def test_jobs_start_again_after_an_outage_whose_cause_is_logged_once(postgres_server: BreakableServer):
    work = Work("work")
    with capture_logs() as logs:
        async with instance(postgres_server.url, work.job(), timeout=1.0) as jobs:
            await work.has_begun(1)
            postgres_server.kill()
            await until(lambda: not jobs.is_leader, timeout=30)
            await until(lambda: any(line["event"] == "jobs_cannot_start" for line in logs), timeout=30)
            await asyncio.sleep(10 * 0.05)  # Attempts that must leave no further line.
            await postgres_server.start()
            await work.has_begun(work.begun + 1)
    outages = [line for line in logs if line["event"] == "jobs_cannot_start"]
    assert len(outages) == 1
    assert outages[0]["exc_info"].__cause__ is not None
    assert QUICK.notice > 0
