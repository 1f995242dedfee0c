"""The names of boards and of parts of them in ids."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from app.domain.boards.board import Board
from app.domain.boards.board_query import around_view, page_view
from app.domain.boards.periods import Period, parse_window
from app.domain.boards.views import Around, Slice
from app.domain.errors import BadUserInput

_SLICE = re.compile(r"offset=(\d{1,5})&limit=(\d{1,3})", re.ASCII)
_AROUND = re.compile(r"around=([0-9a-f-]{36})&radius=(\d{1,2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class BoardPart:
    """A part of a board: `global/ALL_TIME?offset=0&limit=10`."""

    board_key: str
    view: Slice | Around

    def __str__(self) -> str:
        """Return the name, as `parse` accepts it."""
        view = self.view
        if isinstance(view, Around):
            return f"{self.board_key}?around={view.user_id}&radius={view.radius}"
        return f"{self.board_key}?offset={view.offset}&limit={view.limit}"

    @classmethod
    def parse(cls, name: str) -> BoardPart | None:
        """Return the part with this name; None if there can be no such part."""
        board_key, _, part = name.partition("?")
        try:
            if found := _SLICE.fullmatch(part):
                return cls(board_key, page_view(int(found[2]), int(found[1])))
            if found := _AROUND.fullmatch(part):
                return cls(board_key, around_view(found[1], int(found[2])))
        except BadUserInput:
            pass
        return None


def parse_board(key: str, now: datetime) -> Board | None:
    """Return the board with this key; None if there was no such board until `now`."""
    category, _, rest = key.partition("/")
    window_key, _, moment = rest.partition("@")
    try:
        window = parse_window(window_key)
        as_of = datetime.fromisoformat(moment) if moment else None
    except ValueError:
        return None
    board = Board(category, window, as_of)
    starts_at = window.starts_at if as_of is None else as_of
    if starts_at is not None and (starts_at.tzinfo is None or starts_at > now):
        return None
    if as_of is not None and (window.period is not Period.ALL_TIME or as_of.microsecond):
        return None
    return board if board.key == key else None
