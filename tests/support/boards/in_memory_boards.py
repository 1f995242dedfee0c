"""Boards in memory, with stores that a test can make unavailable."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.domain.boards.board import TOP, Board, Entry, Page, Source, UserStanding, Version
from app.domain.boards.overtaking import UserView
from app.domain.boards.views import Around, Head, Player, State, UserSelection, View, compose, flatten
from app.domain.errors import ServiceUnavailable
from app.domain.users import Profile
from app.pubsub.channels.events import BoardMoved
from app.pubsub.feed.clock import Clock

BIRTH = datetime(2026, 1, 1, tzinfo=UTC)


def profile(number: int, name: str | None = None) -> Profile:
    """Return the profile of a user by number."""
    return Profile(UUID(int=number), name or f"player-{number}", None, BIRTH)


@dataclass
class Ranking:
    """The rows of one board: score and the order in which it was reached, by user."""

    version: Version
    rows: dict[int, tuple[int, int]] = field(default_factory=dict)

    def entries(self, names: dict[int, str]) -> tuple[Entry, ...]:
        """Return all entries in board order; `names` replaces user names."""
        rows = sorted(self.rows.items(), key=lambda row: (-row[1][0], row[1][1], row[0]))
        sharing = Counter(score for score, _ in self.rows.values())
        first: dict[int, int] = {}
        return tuple(
            Entry(
                rank=standing,
                competition_rank=first.setdefault(score, standing),
                tied_with=sharing[score] - 1,
                score=score,
                reached_at=BIRTH + timedelta(seconds=turn),
                user=profile(number, names.get(number)),
            )
            for standing, (number, (score, turn)) in enumerate(rows, 1)
        )

    def top(self) -> list[tuple[int, tuple[int, int]]]:
        """Return the rows at the head of the board."""
        return heapq.nsmallest(TOP, self.rows.items(), key=lambda row: (-row[1][0], row[1][1], row[0]))


class MemoryBoards:
    """A `BoardReader` over scores that tests change.

    `redis` and `postgres` say which store answers. `hold` delays results after the board was read; with `deaf` they are
    returned when that wait is cancelled, as `wait_for` can do before Python 3.12. `hold_views`, `views_failure` and
    `before_views` concern the reads of views beyond the head only. `views` records the views of each read, and
    `regressions` the versions that were reported.
    """

    def __init__(self, clock: Clock) -> None:
        self.regressions: list[Version] = []
        self.redis = True
        self.postgres = True
        self.hold: asyncio.Event | None = None
        self.deaf = False
        self.hold_views: asyncio.Event | None = None
        self.views_failure: Exception | None = None
        self.before_views: Callable[[], object] = lambda: None
        self.views: list[Sequence[View[Any]]] = []
        self.names: dict[int, str] = {}
        self._clock = clock
        self._turn = 0
        self._boards: dict[str, Ranking] = {}

    def put(self, board: Board, user: int, score: int) -> BoardMoved:
        """Set a score, and return the change notification that a store would publish."""
        ranking = self._ranking(board)
        before = ranking.top()
        self._turn += 1
        ranking.rows[user] = (score, self._turn)
        ranking.version = replace(ranking.version, number=ranking.version.number + 1)
        return BoardMoved(board.key, ranking.version, ranking.top() != before)

    def rebuild(self, board: Board, epoch: str) -> BoardMoved:
        """Start a new epoch with the same rows."""
        self._ranking(board).version = Version(epoch, 1)
        return BoardMoved(board.key, Version(epoch, 1), True)

    def rewind(self, board: Board, number: int) -> None:
        """Set the version back, as in a copy that is behind."""
        ranking = self._ranking(board)
        ranking.version = replace(ranking.version, number=number)

    def truth(self, board: Board) -> tuple[Entry, ...]:
        """Return the current entries of a board."""
        return self._ranking(board).entries(self.names)

    async def read_version(self, board: Board) -> Version:
        """Return the version of a board in Redis."""
        if not self.redis:
            raise ServiceUnavailable
        version = self._ranking(board).version
        await self._held()
        return version

    async def read_head(self, board: Board) -> Page:
        """Return the head of a board."""
        (head,) = await self._read(board, [Head()])
        assert isinstance(head, Page)
        return head

    async def read_views(self, board: Board, views: Sequence[View[Any]]) -> Sequence[State]:
        """Return the state of each view."""
        self.before_views()
        if self.views_failure is not None:
            raise self.views_failure
        states = await self._read(board, views)
        if self.hold_views is not None:
            await self.hold_views.wait()
        return states

    async def _read(self, board: Board, views: Sequence[View[Any]]) -> Sequence[State]:
        self.views.append(views)
        if not self.redis and not self.postgres:
            raise ServiceUnavailable
        entries = self.truth(board)
        parts = {part: self._state(board, entries, part) for part in flatten(views)}
        states = [compose(view, parts) for view in views]
        await self._held()
        return states

    def report_regression(self, board: Board, version: Version) -> None:
        """Record the version."""
        self.regressions.append(version)

    async def _held(self) -> None:
        try:
            if self.hold is not None:
                await self.hold.wait()
        except asyncio.CancelledError:
            if not self.deaf:
                raise

    def _state(self, board: Board, entries: tuple[Entry, ...], view: View[Any]) -> State:
        match view:
            case Head():
                return self._page(board, entries[:TOP], 0)
            case Player(user_id):
                return self._view(board, entries, user_id)
            case Around(user_id, radius):
                rank = next((entry.rank for entry in entries if entry.user.id == user_id), None)
                if rank is None:
                    return self._page(board, (), 0)
                first = max(0, min(rank - 1 - radius, len(entries) - 2 * radius - 1))
                return self._page(board, entries[first : first + 2 * radius + 1], first)
            case UserSelection(users):
                return self._page(board, tuple(entry for entry in entries if entry.user.id in users), 0)
        raise AssertionError(view)

    def _page(self, board: Board, entries: tuple[Entry, ...], offset: int) -> Page:
        source = Source.REDIS if self.redis else Source.POSTGRES
        total = len(self._ranking(board).rows)
        return Page(board, self._version(board), self._clock.now(), source, total, entries, offset)

    def _view(self, board: Board, entries: tuple[Entry, ...], user_id: UUID) -> UserView:
        standing = UserStanding(board, self._version(board), user_id, len(entries))
        for entry in entries:
            if entry.user.id == user_id:
                standing = replace(
                    standing,
                    score=entry.score,
                    rank=entry.rank,
                    competition_rank=entry.competition_rank,
                    tied_with=entry.tied_with,
                    reached_at=entry.reached_at,
                )
                return UserView(standing, entry.user, entries[max(0, entry.rank - 4) : entry.rank - 1])
        return UserView(standing)

    def _version(self, board: Board) -> Version:
        version = self._ranking(board).version
        return version if self.redis else Version("postgres", self._turn)

    def _ranking(self, board: Board) -> Ranking:
        return self._boards.setdefault(board.key, Ranking(Version("one", 0)))
