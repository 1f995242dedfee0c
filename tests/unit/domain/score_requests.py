"""Score requests and accounts to judge, with defaults for everything that a test does not set."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.domain.boards.board import Board
from app.domain.catalogue.catalogue import Action, Category
from app.domain.ledger.activity import Completion, History
from app.domain.ledger.posting import Account, ScoreRequest, boards_for
from app.domain.ledger.scoring import ScoreRow
from app.domain.ledger.transactions import Actor, Head, Kind
from app.domain.users import Profile

NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
ALICE = Profile(UUID(int=1), "alice", None, NOW - timedelta(days=100))
CATEGORY = Category("global", "Global", score_cap=1000)
LEVEL = Action("LEVEL", "Level", "global", 50)
NEW_ID = UUID(int=99)


def action(**more: Any) -> Action:
    return replace(LEVEL, **more)


def request(points: int = 50, category: Category = CATEGORY, **more: Any) -> ScoreRequest:
    given: dict[str, Any] = {"kind": Kind.ACTION, "actor": Actor(ALICE.id, "player"), "action": LEVEL}
    return ScoreRequest(ALICE.id, category, points=points, **(given | more))


def account(**more: Any) -> Account:
    return Account(ALICE, Head(), **more)


def rows(
    category: Category = CATEGORY, now: datetime = NOW, *, reached_at: datetime | None = None, **scores: int
) -> dict[Board, ScoreRow]:
    """Rows on the open boards, by the name of the period: `rows(ALL_TIME=100, DAILY=10)`."""
    return {
        board: ScoreRow(scores[board.window.period], reached_at or now - timedelta(days=1), 1)
        for board in boards_for(category, now)
        if board.window.period in scores
    }


def history(*seconds_ago: float, action_id: str = "LEVEL", **more: Any) -> History:
    """Completions so many seconds before NOW, the newest first."""
    return History(tuple(Completion(NOW - timedelta(seconds=ago), action_id) for ago in seconds_ago), **more)


def scores_of(score_changes: Any) -> dict[str, int]:
    return {change.board.window.period.value: change.row.score for change in score_changes}
