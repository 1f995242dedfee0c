"""Background work that fails is started again, and told about once."""

import asyncio
from random import Random

from structlog.testing import capture_logs

from app.telemetry.supervision import Supervisor, end
from tests.support.runtime import runtime_for


async def started_again(failure: BaseException, *, times: int) -> Supervisor:
    """A supervisor whose work has failed with `failure` so often."""
    supervisor = Supervisor(runtime_for(random=Random(1)))
    enough = asyncio.Event()
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun > times:
            enough.set()
            await asyncio.Event().wait()
        raise failure

    task = asyncio.create_task(supervisor.keep("work", work))
    async with asyncio.timeout(30):
        await enough.wait()
    await end([task])
    return supervisor


async def test_work_that_awaited_something_cancelled_is_started_again():
    (work,) = (await started_again(asyncio.CancelledError(), times=2)).works
    assert (work.failures, work.running) == (2, False)


async def test_a_failure_that_repeats_itself_is_logged_with_one_traceback():
    with capture_logs() as logs:
        await started_again(OSError("no route"), times=3)
    assert [(line["cause"], line["exc_info"]) for line in logs] == [
        ("OSError('no route')", True),
        ("OSError('no route')", False),
        ("OSError('no route')", False),
    ]


async def test_a_task_that_swallows_a_cancellation_is_ended_by_the_next():
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await end([task])
    assert (task.cancelled(), swallowed) == (True, 1)
