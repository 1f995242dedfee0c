"""The check of the boards: Redis against PostgreSQL, row by row."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from app.domain.boards.board import TOP, Board
from app.domain.ledger.posting import ScoreChange
from app.models.statements.boards.board_rows import count_rows, read_rows, read_rows_of
from app.models.statements.boards.read_boards import read_slice
from app.services.board_index import IndexLoader, RedisUnreachable
from app.services.board_index.rebuild import CHUNK, live_boards
from app.services.board_index.row_reader import IndexRows, expected_row
from app.services.catalogue.cache import CatalogueService
from app.services.verify.check_result import CheckResult, Progress
from app.stores.postgres import Database

PATIENCE = 5.0
"""Seconds that the stores may differ before it counts: a score is put into Redis after it was committed."""
LEAST_PATIENCE = 0.5
"""Seconds, once other differences have used up the time."""
PAUSE = 0.25


class CheckBoards:
    """Compares the copies of all live boards with the truth."""

    def __init__(
        self,
        database: Database,
        copies: IndexRows,
        index_loader: IndexLoader,
        catalogue: CatalogueService,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._copies = copies
        self._index_loader = index_loader
        self._catalogue = catalogue
        self._clock = clock

    async def run(self, progress: Progress) -> CheckResult:
        """Compare everything. Raises ServiceUnavailable when PostgreSQL does not answer."""
        result = CheckResult("boards", "Redis equals PostgreSQL on every live board: members, scores, order")
        boards = list(live_boards(self._catalogue, self._clock()))
        async with self._database.connect() as connection:
            total = sum([await count_rows(connection, board) for board in boards])
        patience = _Patience()
        try:
            run_id = await self._index_loader.run_id()
            for board in boards:
                if await self._index_loader.is_complete(board.category, run_id):
                    await self._board(board, result, patience, lambda: progress("boards", result.checked, total))
                else:
                    result.add_violation(f"board {board.key}: Redis has not loaded it")
        except RedisUnreachable as error:
            result.add_violation(f"Redis does not answer: {error}")
        progress("boards", total, total)
        return result

    async def _board(
        self, board: Board, result: CheckResult, patience: _Patience, advance: Callable[[], object]
    ) -> None:
        after: ScoreChange | None = None
        while True:
            async with self._database.connect() as connection:
                rows = await read_rows(connection, board, after, CHUNK)
            await self._rows(board, rows, result, patience)
            result.checked += len(rows)
            advance()
            if len(rows) < CHUNK:
                break
            after = rows[-1]
        # Every row of PostgreSQL is there. With as many in all there are no others, and the order is that of the rows.
        await patience.settle(result, lambda: self._differences_of_board(board))

    async def _rows(self, board: Board, rows: Sequence[ScoreChange], result: CheckResult, patience: _Patience) -> None:
        differing = await self._differences(board, rows)
        if not differing:
            return

        async def again() -> list[str]:
            async with self._database.connect() as connection:
                rows = await read_rows_of(connection, board, list(differing))
            return list((await self._differences(board, rows)).values())

        await patience.settle(result, again)

    async def _differences(self, board: Board, rows: Sequence[ScoreChange]) -> dict[UUID, str]:
        copies = await self._copies.of(board, [row.user_id for row in rows])
        return {
            row.user_id: f"user {row.user_id}, board {board.key}: "
            f"PostgreSQL has {expected_row(row)}, Redis {copy or 'nothing'}"
            for row, copy in zip(rows, copies, strict=True)
            if copy != expected_row(row)
        }

    async def _differences_of_board(self, board: Board) -> list[str]:
        async with self._database.snapshot() as connection:
            stretch, shown = await read_slice(connection, board, 0, TOP)
            rows = await count_rows(connection, board)
        sizes = await self._copies.sizes(board)
        if sizes != (shown, rows):
            return [f"board {board.key}: PostgreSQL shows {shown} of {rows} users, Redis {sizes[0]} of {sizes[1]}"]
        if await self._copies.leaders(board, TOP) != [line.user_id for line in stretch.lines]:
            return [f"board {board.key}: the first {TOP} stand in another order in Redis"]
        return []


class _Patience:
    """Waits for scores that are on their way, longer at first: many breaches should not take minutes to tell."""

    def __init__(self) -> None:
        self._left = PATIENCE

    async def settle(self, result: CheckResult, differences: Callable[[], Awaitable[list[str]]]) -> None:
        """Look until there is no difference, or it has lasted too long to be a score on its way."""
        clock = asyncio.get_running_loop().time
        began = clock()
        while sentences := await differences():
            if clock() - began > max(self._left, LEAST_PATIENCE):
                for sentence in sentences:
                    result.add_violation(sentence)
                break
            await asyncio.sleep(PAUSE)
        self._left -= clock() - began
