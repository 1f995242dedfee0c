"""Answers about the past, shared by all callers: a closed instant changes only when a user is hidden or renamed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any

from app.domain.boards.board import Board, Page
from app.domain.boards.periods import CLOSING_DELAY
from app.execution.lru_cache import LRUCache
from app.runtime import Runtime
from app.stores.single_flight import SingleFlight

OPEN_SECONDS = 1.0
"""How long an answer about the last seconds is shared: transactions that have begun may still be committed."""

CLOSED_SECONDS = 10.0
"""How long other answers are shared. It bounds how late a process without notices learns that a user was hidden."""

MAX_ANSWERS = 100_000
"""The maximum of cached answers, whatever their size."""

ENTRY_BYTES = 700
"""About how much memory an entry with its user takes."""


class PastAnswers:
    """Shares reads of the past while they run, and their results for some seconds, up to a size in bytes."""

    def __init__(self, max_bytes: int, runtime: Runtime) -> None:
        """Create an empty cache.

        Args:
            max_bytes: About how much memory the answers may take. The ones used least recently are dropped.
            runtime: The clocks.
        """
        self._answers: LRUCache[Hashable, tuple[float, Any]] = LRUCache(MAX_ANSWERS, max_bytes)
        self._max_bytes = max_bytes
        self._running: SingleFlight[Any] = SingleFlight(0, runtime)
        self._clock = runtime.clock
        self._monotonic = runtime.monotonic
        self._generation = 0
        self.hits = 0
        self.misses = 0

    async def get(self, board: Board, key: Hashable, read: Callable[[], Awaitable[Sequence[Any]]]) -> Any:
        """Return the result of `read`, or of an earlier call with the same board and key.

        Raises:
            Exception: Any exception that `read` raises.
        """
        generation = self._generation
        cached = self._answers.get((board, key))
        if cached is not None and self._monotonic() < cached[0]:
            self.hits += 1
            return cached[1]
        self.misses += 1

        async def read_and_keep() -> Any:
            answer = await read()
            if generation == self._generation:
                seconds = CLOSED_SECONDS if self._is_closed(board) else OPEN_SECONDS
                self._answers.put((board, key), (self._monotonic() + seconds, answer), _weight(answer))
            return answer

        return await self._running.get((generation, board, key), read_and_keep)

    def clear(self) -> None:
        """Drop all answers, also those that are being read: a user was hidden, shown, renamed or deleted."""
        self._generation += 1
        self._answers = LRUCache(MAX_ANSWERS, self._max_bytes)

    def _is_closed(self, board: Board) -> bool:
        instant = board.as_of or board.window.ends_at
        return instant is not None and instant <= self._clock() - CLOSING_DELAY


def _weight(answer: Sequence[Any]) -> int:
    entries = sum(1 + len(part.entries) if isinstance(part, Page) else 1 for part in answer)
    return ENTRY_BYTES * (1 + entries)
