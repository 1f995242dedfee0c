"""Movement: how many places users have gained or lost since the end of a day, a week or a month."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.boards.board import Board
from app.domain.boards.periods import Period, window_of


class Since(StrEnum):
    """The end of which window ranks are compared with."""

    PREVIOUS_DAY = "PREVIOUS_DAY"
    PREVIOUS_WEEK = "PREVIOUS_WEEK"
    PREVIOUS_MONTH = "PREVIOUS_MONTH"

    @property
    def period(self) -> Period:
        """The period of that window."""
        return _PERIODS[self]


_PERIODS = {
    Since.PREVIOUS_DAY: Period.DAILY,
    Since.PREVIOUS_WEEK: Period.WEEKLY,
    Since.PREVIOUS_MONTH: Period.MONTHLY,
}


def reference_board(board: Board, since: Since, now: datetime) -> Board | None:
    """Return the board whose ranks those of `board` are compared with.

    For an all-time board it is the same board at the end of the previous day, week or month; for a board of days,
    weeks or months the one of the window before, if `since` names its period.

    Returns:
        The board; None if there is nothing stored to compare with.
    """
    window = board.window
    if window.period is Period.ALL_TIME:
        begun = window_of(since.period, board.as_of or now).starts_at
        assert begun is not None
        return Board(board.category, window, begun - timedelta(microseconds=1))
    if window.period is not since.period or window.starts_at is None:
        return None
    return Board(board.category, window_of(window.period, window.starts_at - timedelta(microseconds=1)))
