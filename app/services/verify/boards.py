"""The check of the boards: the board index in Redis against PostgreSQL, row by row."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from app.domain.boards.board import TOP, Board
from app.domain.ledger.posting import ScoreChange
from app.models.statements.boards.board_rows import count_rows, read_rows, read_rows_of
from app.models.statements.boards.read_boards import read_slice
from app.runtime import Runtime
from app.services.board_index import IndexLoader
from app.services.board_index.layout import windows_in_index
from app.services.board_index.rebuild import ROWS_PER_CHUNK
from app.services.board_index.row_reader import IndexRows, expected_row
from app.services.catalogue.cache import CatalogueService
from app.services.verify.check_result import CheckResult, Progress
from app.stores.postgres import Database
from app.stores.redis_caller import RedisUnreachable

MAX_INDEX_DELAY = 5.0
"""Seconds that a difference may last before it is a violation: Redis is updated after the commit."""

MIN_INDEX_DELAY = 0.5
"""Seconds that a difference may last once others have used up `MAX_INDEX_DELAY`."""

RECHECK_INTERVAL = 0.25
"""Seconds between two comparisons of rows that differ."""


class CheckBoards:
    """Compares the board index of all live boards with PostgreSQL."""

    def __init__(
        self,
        database: Database,
        index_rows: IndexRows,
        index_loader: IndexLoader,
        catalogue: CatalogueService,
        runtime: Runtime,
    ) -> None:
        self._database = database
        self._index_rows = index_rows
        self._index_loader = index_loader
        self._catalogue = catalogue
        self._clock = runtime.clock

    async def run(self, progress: Progress) -> CheckResult:
        """Compare all boards. Raises ServiceUnavailable if PostgreSQL does not answer."""
        result = CheckResult("boards", "on every board in Redis, it has the same users, scores and order as PostgreSQL")
        total = 0
        settling = _SettlingTime()
        try:
            boards = await self._boards_to_check(result)
            async with self._database.connect() as connection:
                total = sum([await count_rows(connection, board) for board in boards])
            for board in boards:
                await self._check_board(board, result, settling, lambda: progress("boards", result.checked, total))
        except RedisUnreachable as error:
            result.add_violation(f"Redis does not answer: {error}")
        progress("boards", total, total)
        return result

    async def _boards_to_check(self, result: CheckResult) -> list[Board]:
        """Return the boards that readers trust: all open ones, and the closed windows that Redis has whole."""
        now = self._clock()
        boards: list[Board] = []
        for category in list(self._catalogue.current.categories.values()):
            known = windows_in_index(category, now)
            state = await self._index_loader.examine(category.id, known)
            for board in known:
                is_open = not board.window.is_closed(now)
                if state.is_loaded and (is_open or board.window.key in set(state.written) - set(state.incomplete)):
                    boards.append(board)
                elif is_open:
                    result.add_violation(f"board {board.key}: it is not loaded in Redis")
        return boards

    async def _check_board(
        self, board: Board, result: CheckResult, settling: _SettlingTime, advance: Callable[[], object]
    ) -> None:
        after: ScoreChange | None = None
        while True:
            async with self._database.connect() as connection:
                rows = await read_rows(connection, board, after, ROWS_PER_CHUNK)
            await self._check_rows(board, rows, result, settling)
            result.checked += len(rows)
            advance()
            if len(rows) < ROWS_PER_CHUNK:
                break
            after = rows[-1]
        # Redis has every row of PostgreSQL. If the numbers of rows are equal, it has no others.
        await settling.recheck(result, lambda: self._differences_of_board(board))

    async def _check_rows(
        self, board: Board, rows: Sequence[ScoreChange], result: CheckResult, settling: _SettlingTime
    ) -> None:
        differing = await self._differences(board, rows)
        if not differing:
            return

        async def compare_again() -> list[str]:
            async with self._database.connect() as connection:
                rows = await read_rows_of(connection, board, list(differing))
            return list((await self._differences(board, rows)).values())

        await settling.recheck(result, compare_again)

    async def _differences(self, board: Board, rows: Sequence[ScoreChange]) -> dict[UUID, str]:
        index_rows = await self._index_rows.of(board, [row.user_id for row in rows])
        return {
            row.user_id: f"user {row.user_id}, board {board.key}: "
            f"PostgreSQL has {expected_row(row)}, but Redis has {index_row or 'no row'}"
            for row, index_row in zip(rows, index_rows, strict=True)
            if index_row != expected_row(row)
        }

    async def _differences_of_board(self, board: Board) -> list[str]:
        async with self._database.snapshot() as connection:
            slice_, shown = await read_slice(connection, board, 0, TOP)
            rows = await count_rows(connection, board)
        sizes = await self._index_rows.sizes(board)
        if sizes != (shown, rows):
            return [
                f"board {board.key}: PostgreSQL has {shown} visible of {rows} users, "
                f"but Redis has {sizes[0]} of {sizes[1]}"
            ]
        if await self._index_rows.leaders(board, TOP) != [line.user_id for line in slice_.rows]:
            return [f"board {board.key}: the first {TOP} users are in a different order in Redis"]
        return []


class _SettlingTime:
    """Waits until after-commit updates have reached Redis.

    The time is shared by all differences, so that a check of many violations does not take minutes.
    """

    def __init__(self) -> None:
        self._remaining = MAX_INDEX_DELAY

    async def recheck(self, result: CheckResult, differences: Callable[[], Awaitable[list[str]]]) -> None:
        """Compare until there is no difference, or until it has lasted too long and is a violation."""
        clock = asyncio.get_running_loop().time
        started = clock()
        while sentences := await differences():
            if clock() - started > max(self._remaining, MIN_INDEX_DELAY):
                for sentence in sentences:
                    result.add_violation(sentence)
                break
            await asyncio.sleep(RECHECK_INTERVAL)
        self._remaining -= clock() - started
