"""A live board in the terminal."""

from __future__ import annotations

from typing import Any

from app.cli.terminal.board_view import BoardView


def entry(name: str, rank: int, movement: int | None) -> dict[str, Any]:
    return {"rank": rank, "formattedScore": "10", "movement": movement, "user": {"id": name, "username": name}}


def update(*entries: dict[str, Any], changes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "version": 3,
        "asOf": "2026-11-20T12:00:00+00:00",
        "leaderboard": {
            "category": {"scoreFormat": {"kind": "INTEGER", "digits": None, "unit": None}},
            "totalUsers": len(entries),
            "source": "MEMORY",
            "stale": False,
            "entries": list(entries),
        },
        "changes": changes,
    }


def test_a_line_tells_the_last_change_and_the_places_gained_since_yesterday():
    view = BoardView("global", "since yesterday")
    climbed = {"user": {"id": "ada"}, "oldRank": 2, "newRank": 1, "scoreDelta": 5}
    view.show(
        update(entry("ada", 1, 3), entry("bob", 2, -1), entry("cy", 3, None), entry("di", 4, 0), changes=[climbed])
    )
    lines = [line.split() for line in view.plain_text().splitlines()[1:5]]
    assert lines == [
        ["1", "▲1", "ada", "10", "+5", "▲3", "since", "yesterday"],
        ["2", "bob", "10", "▼1", "since", "yesterday"],
        ["3", "cy", "10"],
        ["4", "di", "10"],
    ]
