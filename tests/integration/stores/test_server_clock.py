"""Windows are closed by the clock of PostgreSQL, and an instance whose clock is wrong does not write."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from app.config import Settings
from app.domain.boards.board import board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.errors import ServiceUnavailable
from app.runtime import Runtime, utc_now
from app.wiring import App, open_app
from tests.support.runtime import runtime_for
from tests.support.service import caller
from tests.support.wait_until import until

DAY = timedelta(days=1)


def ahead_by(difference: timedelta) -> Runtime:
    """The runtime of a machine whose clock is ahead."""

    def clock() -> datetime:
        return datetime.now(UTC) + difference

    return runtime_for(clock, system_clock=clock)


async def test_the_skew_is_the_time_of_the_machine_less_that_of_postgresql(settings: Settings):
    async with open_app(settings, ahead_by(timedelta(hours=1)), housekeeping=False) as app:
        assert abs(app.server_clock.skew - timedelta(hours=1)) < timedelta(minutes=1)
        assert abs(await app.server_clock.now() - utc_now()) < timedelta(minutes=1)


async def test_a_machine_whose_clock_is_right_has_no_skew(app: App):
    assert await app.server_clock.measure() == timedelta(0)


async def test_a_leader_whose_clock_is_a_day_ahead_closes_no_window_early(app: App, settings: Settings):
    who = caller()
    await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)
    lenient = settings.model_copy(update={"max_clock_skew": DAY.total_seconds() * 2})
    async with open_app(lenient, ahead_by(DAY), housekeeping=False) as wrong:
        assert await wrong.close_windows() == []
    tomorrow = runtime_for(lambda: utc_now() + DAY)  # By all clocks.
    async with open_app(settings, tomorrow, housekeeping=False) as right:
        assert len(await right.close_windows()) > 0


@pytest.mark.parametrize("difference", [timedelta(hours=1), -timedelta(hours=1)])
async def test_an_instance_with_a_wrong_clock_reads_and_does_not_write(settings: Settings, difference: timedelta):
    with capture_logs() as logs:
        async with open_app(settings, ahead_by(difference), housekeeping=False) as app:
            await app.rebuild.ensure_loaded()
            with pytest.raises(ServiceUnavailable):
                await app.issue_token(caller(), "COMPLETE_LEVEL")
            page = await app.board_reader.page(board_of("global", Period.ALL_TIME, app.clock()), Slice(0, 10))
            assert page.total_users == 0
            await until(lambda: any(line["event"] == "clock_skew_excessive" for line in logs))


async def test_an_instance_with_a_wrong_clock_does_not_lead(settings: Settings):
    async with open_app(settings, ahead_by(timedelta(hours=1))) as wrong, open_app(settings) as right:
        await until(lambda: right.jobs.is_leader)
        assert not wrong.jobs.is_leader
