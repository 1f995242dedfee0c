"""Standings: what the service writes to and reads from the boards in Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

from redis.asyncio import Redis

from app.domain.boards.board import TOP, Board, Version
from app.domain.instants import to_micros
from app.domain.ledger.posting import ScoreChange
from app.pubsub.channels.events import BoardMoved
from app.services.board_index.layout import Keys, reached, ttl_seconds
from app.stores.redis import RedisCaller

SCRIPTS = Path(__file__).parent

ROW = Struct(">HBiQ8s16s")
"""A row as `put.lua` takes it: board, visible, sort key, revision, reached_at, user id."""

Request = tuple[str, bytes | int, bytes | int | str]
"""A view to read: kind, first and second argument, as `views.lua` takes them."""


class BoardNotLoaded(Exception):
    """The category is not loaded in Redis: its boards must be read from PostgreSQL, and rebuilt."""


class Ranks(NamedTuple):
    """A user's 1-based ranks around a put; None where the user was or is not on the board."""

    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a put did: every row's ranks, in the order of the rows, and the boards that look different now."""

    ranks: Sequence[Ranks]
    moves: Sequence[BoardMoved]


@dataclass(frozen=True, slots=True)
class Answer:
    """What `views.lua` said of a board: the reading's version and total, and each view as the script returns it."""

    version: Version
    changed_at: int
    total: int
    views: Sequence[Sequence[Any]]


class BoardIndex:
    """The copies of live boards. Every call has a time limit, and raises Unreachable when Redis does not answer."""

    def __init__(
        self,
        redis: Redis,
        redis_caller: RedisCaller,
        keys: Keys,
        channel: Callable[[str], str],
        clock: Callable[[], datetime],
    ) -> None:
        """`channel` names the pub/sub channel of a category."""
        self._redis = redis
        self._redis_caller = redis_caller
        self._keys = keys
        self._channel = channel
        self._clock = clock
        self._put = redis.register_script((SCRIPTS / "put.lua").read_text())
        self._views = redis.register_script((SCRIPTS / "views.lua").read_text())

    async def put(self, score_changes: Sequence[ScoreChange]) -> Outcome:
        """Bring the copies up to `score_changes`, announce what moved, and tell every row's ranks before and after.

        All rows must be of one category. Absolute and guarded by revision: repeating it is harmless.
        Raises Cold when the category is not loaded.
        """
        category = score_changes[0].board.category
        answer = await self._write("put", score_changes)
        if answer is None:
            raise BoardNotLoaded(category)
        flat, news = answer
        return Outcome(
            [Ranks(flat[i] or None, flat[i + 1] or None) for i in range(0, len(flat), 2)],
            [
                BoardMoved(f"{category}/{window.decode()}", Version(epoch.decode(), version), top_moved == 1)
                for window, version, top_moved, epoch in news
            ],
        )

    async def load(self, score_changes: Sequence[ScoreChange]) -> None:
        """Store `score_changes` without announcing them; the category may be cold."""
        await self._write("load", score_changes)

    async def views(self, board: Board, requests: Iterable[Request]) -> Answer:
        """Read all `requests` at one version. Raises Cold."""
        arguments: list[Any] = [board.window.key]
        for request in requests:
            arguments += request
        keys = [self._keys.meta(board.category), self._keys.order(board), self._keys.members(board)]
        answer = await self._redis_caller(lambda: self._views(keys=keys, args=arguments))
        if answer is None:
            raise BoardNotLoaded(board.category)
        epoch, number, changed_at, total, *views = answer
        if total == 0 and board.window.is_closed(self._clock()):
            raise BoardNotLoaded(board.category)  # A window that has left Redis looks like an empty one.
        return Answer(Version(epoch.decode(), int(number)), int(changed_at), total, views)

    async def version(self, board: Board) -> Version:
        """The version of a board. Raises Cold."""
        fields = ["epoch", "ready", f"v:{board.window.key}"]
        meta = self._keys.meta(board.category)
        epoch, ready, number = await self._redis_caller(lambda: self._redis.hmget(meta, fields))
        if epoch is None or ready is None:
            raise BoardNotLoaded(board.category)
        return Version(epoch.decode(), int(number or 0))

    async def _write(self, mode: str, score_changes: Sequence[ScoreChange]) -> Sequence[Any] | None:
        boards = list(dict.fromkeys(standing.board for standing in score_changes))
        number = {board: index for index, board in enumerate(boards, 1)}
        category = boards[0].category
        keys = [self._keys.meta(category)]
        now = self._clock()
        arguments: list[Any] = [mode, self._channel(category), to_micros(now), TOP, len(boards)]
        for board in boards:
            keys += (self._keys.order(board), self._keys.members(board))
            arguments += (board.window.key, ttl_seconds(board, now), int(board.window.is_closed(now)))
        arguments.append(b"".join(_packed(standing, number[standing.board]) for standing in score_changes))
        answer: Sequence[Any] | None = await self._redis_caller(lambda: self._put(keys=keys, args=arguments))
        return answer


def _packed(standing: ScoreChange, board: int) -> bytes:
    row = standing.row
    user_id = standing.user_id.bytes
    return ROW.pack(board, not row.hidden, standing.sort_key, row.revision, reached(row.reached_at), user_id)
