"""The messages between processes."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.boards.board import Board, Version
from app.domain.boards.periods import Period, window_of
from app.domain.players.milestones import Milestone, MilestoneKind
from app.domain.users import Profile
from app.pubsub.channels.events import (
    BoardMoved,
    CatalogueChanged,
    MilestoneReached,
    Notice,
    NoticesLost,
    Probe,
    ProfileChanged,
    SocketClosed,
    decode_boards,
    decode_notice,
    encode_notice,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANN = Profile(UUID(int=7), 'Ann "the\n☃" O\'Hara', None, NOON)

NOTICES = [
    ProfileChanged(UUID(int=1)),
    CatalogueChanged(),
    MilestoneReached(Milestone(ANN, "global", MilestoneKind.SCORE, NOON, 500)),
    MilestoneReached(Milestone(ANN, "arcade", MilestoneKind.FIRST_PLACE, NOON)),
    SocketClosed("s-1"),
    Probe("abc"),
]


def test_moves_of_boards_arrive_as_they_were_sent() -> None:
    daily = Board("arcade", window_of(Period.DAILY, NOON))
    ever = Board("arcade", window_of(Period.ALL_TIME, NOON))
    text = f'{{"boards":[["{daily.window.key}",7,true,"e1"],["{ever.window.key}",9,false,"e2"]]}}'
    assert decode_boards("arcade", text) == (
        BoardMoved("arcade/DAILY:2026-11-20", Version("e1", 7), True),
        BoardMoved("arcade/ALL_TIME", Version("e2", 9), False),
    )


def test_a_script_may_leave_the_epoch_out() -> None:
    assert decode_boards("global", '{"boards":[["ALL_TIME",3,true]]}') == (
        BoardMoved("global/ALL_TIME", Version("", 3), True),
    )


@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: type(notice).__name__)
def test_notices_arrive_as_they_were_sent(notice: Notice) -> None:
    assert decode_notice(encode_notice(notice)) == notice


def test_a_loss_is_never_sent() -> None:
    with pytest.raises(ValueError, match="must not be published"):
        encode_notice(NoticesLost())


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "{}", "7", '"user"', "{", "[" * 100_000),
        *('{"user":1}', '{"user":"x"}', '{"user":"x","b":1}', '{"milestone":{}}', '{"tomorrow":1}'),
        *('{"close":[]}', '{"close":{}}'),
    ],
)
def test_an_unreadable_notice_is_nothing(text: str) -> None:
    assert decode_notice(text) is None


@pytest.mark.parametrize(
    "text",
    ["", "null", "{}", '{"boards":1}', '{"boards":[1]}', '{"boards":[[1,2,3]]}', '{"boards":[["x"]]}', "[" * 9999],
)
def test_an_unreadable_move_is_told_from_no_move(text: str) -> None:
    assert decode_boards("global", text) is None
    assert decode_boards("global", '{"boards":[]}') == ()


@given(st.text() | st.recursive(st.none() | st.text() | st.floats(), lambda x: st.lists(x)).map(str))
def test_no_text_at_all_raises(text: str) -> None:
    decode_notice(text)
    decode_boards("global", text)
