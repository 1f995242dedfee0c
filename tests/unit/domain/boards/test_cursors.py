"""Cursors: exact, and good for one list alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.boards.board import Board, board_of
from app.domain.boards.cursors import (
    _POSITION,
    _encode,
    board_cursor,
    ledger_cursor,
    parse_board_cursor,
    parse_ledger_cursor,
)
from app.domain.boards.periods import Period
from app.domain.boards.views import Position
from app.domain.errors import BadUserInput
from app.domain.scores import MAX_SCORE

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOARD = board_of("global", Period.DAILY, NOW)
POSITION = Position(-50, NOW, UUID(int=7))
CURSOR = board_cursor(BOARD, POSITION)

positions = st.builds(
    Position,
    st.integers(-MAX_SCORE, MAX_SCORE),
    st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.uuids(),
)


@given(positions)
def test_a_cursor_names_its_position_to_the_microsecond(position: Position):
    assert parse_board_cursor(BOARD, board_cursor(BOARD, position)) == position


@pytest.mark.parametrize(
    "other",
    [
        board_of("arcade", Period.DAILY, NOW),
        board_of("global", Period.WEEKLY, NOW),
        board_of("global", Period.ALL_TIME, NOW),
        board_of("global", Period.DAILY, NOW + timedelta(days=1)),
        Board("global", board_of("global", Period.ALL_TIME, NOW).window, datetime(2026, 11, 20, 12, tzinfo=UTC)),
    ],
)
def test_a_cursor_of_another_board_or_window_is_refused(other):
    with pytest.raises(BadUserInput):
        parse_board_cursor(other, CURSOR)


@pytest.mark.parametrize("place", range(len(CURSOR)))
def test_a_cursor_with_any_character_changed_is_refused(place: int):
    damaged = CURSOR[:place] + ("A" if CURSOR[place] != "A" else "B") + CURSOR[place + 1 :]
    with pytest.raises(BadUserInput):
        parse_board_cursor(BOARD, damaged)


@pytest.mark.parametrize("cursor", ["", "x", "!!!!", "ünicode", CURSOR[:-1], CURSOR + "A", CURSOR + "=", "A" * 10_000])
def test_what_is_no_cursor_is_refused(cursor: str):
    with pytest.raises(BadUserInput):
        parse_board_cursor(BOARD, cursor)


def test_a_cursor_of_transactions_belongs_to_one_user():
    alice, bob = uuid4(), uuid4()
    cursor = ledger_cursor(alice, 12)
    assert parse_ledger_cursor(alice, cursor) == 12
    with pytest.raises(BadUserInput):
        parse_ledger_cursor(bob, cursor)
    with pytest.raises(BadUserInput):
        parse_board_cursor(BOARD, cursor)


def test_a_cursor_that_a_client_made_up_is_refused_when_no_instant_or_sequence_has_that_value():
    # The checksum is no secret: anybody can seal anything.
    for to_micros in (2**63, 2**64 - 1):
        with pytest.raises(BadUserInput, match="not valid for this list"):
            parse_board_cursor(BOARD, _encode(BOARD.key, _POSITION.pack(0, to_micros, bytes(16))))
    user = UUID(int=7)
    assert parse_ledger_cursor(user, ledger_cursor(user, 2**63 - 1)) == 2**63 - 1
    with pytest.raises(BadUserInput, match="not valid for this list"):
        parse_ledger_cursor(user, ledger_cursor(user, 2**63))
