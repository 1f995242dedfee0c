"""Write the rows of boards to PostgreSQL and Redis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from app.domain.boards.board import Board, Entry, board_of
from app.domain.boards.periods import Period
from app.domain.ledger.posting import ScoreChange
from app.domain.ledger.scoring import ScoreRow, sort_key
from app.domain.users import Profile
from app.runtime import Runtime
from app.services.board_index import BoardIndex, Keys
from app.services.board_index.shards import SplitBoardIndex
from app.wiring import App

BIRTH = datetime(2026, 1, 1, tzinfo=UTC)

USERS = text(
    """
    INSERT INTO users (id, username, claimed_username, created_at)
    SELECT id, 'player-' || number, 'player-' || number, :birth
    FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS int[])) AS u(id, number)
    ON CONFLICT DO NOTHING
    """
)
CLEAR = text("DELETE FROM scores WHERE category_id = :category AND period = :period AND window_start = :start")
ROWS = text(
    """
    INSERT INTO scores (category_id, period, window_start, user_id, score, sort_key, reached_at, revision, hidden)
    SELECT :category, :period, :start, user_id, score, sort_key, reached_at, 1, hidden
    FROM unnest(CAST(:ids AS uuid[]), CAST(:scores AS bigint[]), CAST(:keys AS bigint[]),
                CAST(:times AS timestamptz[]), CAST(:hidden AS boolean[]))
        AS r(user_id, score, sort_key, reached_at, hidden)
    """
)


@dataclass(frozen=True)
class Row:
    """The score of a user by number, reached `turn` microseconds after `BIRTH`."""

    user: int
    score: int
    turn: int = 0
    hidden: bool = False

    @property
    def id(self) -> UUID:
        """The id of the user."""
        return user_id(self.user)

    @property
    def reached_at(self) -> datetime:
        """When the score was reached."""
        return BIRTH + timedelta(microseconds=self.turn)


def user_id(number: int) -> UUID:
    """Return the id of a user by number; ids are not in the order of the numbers."""
    return UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128)


def rows_of(*scores: int) -> list[Row]:
    """Return rows of the users 1, 2, 3 … with these scores, reached one after the other."""
    return [Row(number, score, number) for number, score in enumerate(scores, 1)]


def all_time(category: str = "global") -> Board:
    """Return the all-time board of a category."""
    return board_of(category, Period.ALL_TIME, BIRTH)


def expected(rows: Sequence[Row], *, low_first: bool = False) -> list[Entry]:
    """Return the entries of a board as the specification orders and ranks them, computed in plain Python."""
    shown = sorted(
        (row for row in rows if not row.hidden),
        key=lambda row: (row.score if low_first else -row.score, row.turn, row.id.bytes),
    )
    entries = []
    for place, row in enumerate(shown, 1):
        better = sum(other.score < row.score if low_first else other.score > row.score for other in shown)
        tied = sum(other.score == row.score for other in shown) - 1
        profile = Profile(row.id, f"player-{row.user}", None, BIRTH)
        entries.append(Entry(place, better + 1, tied, row.score, row.reached_at, profile))
    return entries


async def put_rows(app: App, rows: Sequence[Row], board: Board | None = None) -> None:
    """Replace the rows of a board in PostgreSQL, and rebuild the boards of its category in Redis."""
    board = board or all_time()
    order = app.catalogue.current.category(board.category).sort_order
    named = {"category": board.category, "period": board.window.period.value, "start": board.window.start}
    async with app.database.begin() as connection:
        ids = [row.id for row in rows]
        await connection.execute(USERS, {"ids": ids, "numbers": [row.user for row in rows], "birth": BIRTH})
        await connection.execute(CLEAR, named)
        await connection.execute(
            ROWS,
            named
            | {
                "ids": ids,
                "scores": [row.score for row in rows],
                "keys": [sort_key(order, row.score) for row in rows],
                "times": [row.reached_at for row in rows],
                "hidden": [row.hidden for row in rows],
            },
        )
    await app.rebuild.rebuild(app.catalogue.current.category(board.category), force=True)


def board_index_of(app: App) -> BoardIndex:
    """Return the board index in Redis, for writing to it as the service does after a commit."""
    prefix = app.settings.redis_prefix
    runtime = Runtime(clock=app.clock)
    return SplitBoardIndex(app.redis, app.redis_caller, Keys(prefix), runtime, app.catalogue.shard_count)


async def move(app: App, board: Board, *rows: Row, revision: int) -> None:
    """Write newer scores to the board index, for a board on which the highest score leads, and publish the change."""
    states = [ScoreRow(row.score, row.reached_at, revision, row.hidden) for row in rows]
    await board_index_of(app).put(
        [ScoreChange(board, row.id, state, -row.score) for row, state in zip(rows, states, strict=True)]
    )
