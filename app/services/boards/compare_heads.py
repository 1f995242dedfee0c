"""Compare the heads of boards at intervals, and record who is first now and who was overtaken."""

from __future__ import annotations

from typing import Final

from app.domain.boards.board import Board
from app.domain.events.board_heads import head_changes
from app.domain.events.event import EventType
from app.domain.ledger.posting import boards_for
from app.models.statements.events.board_heads import delete_other_heads, read_heads, store_head
from app.services.catalogue.cache import CatalogueService
from app.services.outbox.recorder import EventRecorder
from app.stores.postgres import Database
from app.stores.server_clock import ServerClock

RANK_EVENTS: Final = (EventType.FIRST_PLACE, EventType.OVERTAKEN)

MAX_BOARDS_PER_STATEMENT = 20
"""Boards that one transaction reads and compares."""


class CompareHeads:
    """Compares the heads of all open boards with those of the last run.

    Guarantees: the events and the head that they lead to are committed together, so that each change between two runs
    is recorded once, whatever happens in between. A place that was taken and lost again between two runs is no event.
    The ranks are those of PostgreSQL, which are exact without Redis too.
    """

    def __init__(
        self, database: Database, catalogue: CatalogueService, events: EventRecorder, clock: ServerClock
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._events = events
        self._clock = clock

    async def __call__(self) -> int:
        """Compare all boards, and return how many have changed. Raises ServiceUnavailable."""
        if not self._events.records(*RANK_EVENTS):
            return 0
        now = await self._clock.now()
        categories = self._catalogue.current.categories.values()
        boards = [board for category in categories if category.enabled for board in boards_for(category, now)]
        changed = 0
        for start in range(0, len(boards), MAX_BOARDS_PER_STATEMENT):
            changed += await self._compare(boards[start : start + MAX_BOARDS_PER_STATEMENT])
        async with self._database.begin() as connection:
            await delete_other_heads(connection, boards)
        return changed

    async def _compare(self, boards: list[Board]) -> int:
        now = await self._clock.now()
        async with self._database.begin() as connection:
            changed = 0
            for board, (before, after) in (await read_heads(connection, boards)).items():
                if before is not None and list(before) == list(after):
                    continue
                if before is None and not after:
                    continue
                await self._events.record(connection, head_changes(board, before or (), after, now))
                await store_head(connection, board, after)
                changed += 1
        return changed
