"""Ask the shards of a board: one call of a script for each, all at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from app.domain.boards.board import Board
from app.runtime import Runtime
from app.services.board_index.index import BoardNotLoaded, register_script
from app.services.board_index.layout import Keys
from app.services.board_index.shards.layout import gather_all, shard_boards
from app.stores.redis_caller import RedisCaller

Question = tuple[str, bytes | int, int, int]
"""A request to one shard, as `shard_views.lua` takes it."""


@dataclass(frozen=True, slots=True)
class ShardReply:
    """The reply of `shard_views.lua`: version and size of a shard, and its answers in the order of the questions.

    Attributes:
        is_written: Whether anybody was put on this board of the shard in this epoch.
    """

    epoch: str
    version: int
    changed_at: int
    total: int
    is_written: bool
    answers: Sequence[Any]


class AskShards:
    """Asks the shards of split boards."""

    def __init__(self, redis: Redis, redis_caller: RedisCaller, keys: Keys, runtime: Runtime) -> None:
        self._redis_caller = redis_caller
        self._keys = keys
        self._runtime = runtime
        self._script = register_script(redis, "positions", "shard_views")

    async def all(self, board: Board, questions: Sequence[Sequence[Question]]) -> Sequence[ShardReply]:
        """Ask every shard its questions; see `some`."""
        return list((await self.some(board, len(questions), dict(enumerate(questions)))).values())

    async def some(
        self, board: Board, shards: int, questions: Mapping[int, Sequence[Question]]
    ) -> Mapping[int, ShardReply]:
        """Ask some of the `shards` shards of a board their questions.

        Raises:
            BoardNotLoaded: The copies in one of them cannot be trusted, or not together with those of the others.
            RedisUnreachable: One of them did not answer.
        """
        parts = shard_boards(board, shards)

        def call(part: Board, asked: Sequence[Question]) -> Any:
            keys = [self._keys.meta(part.category), self._keys.order(part), self._keys.members(part)]
            return self._script(keys=keys, args=[board.window.key, *(value for one in asked for value in one)])

        answers = await self._redis_caller(
            lambda: gather_all(call(parts[shard], asked) for shard, asked in questions.items())
        )
        if None in answers:
            raise BoardNotLoaded(board.category)
        replies = [
            ShardReply(epoch.decode(), int(version), int(changed_at), total, bool(is_written), rest)
            for epoch, version, changed_at, total, is_written, *rest in answers
        ]
        if len({reply.epoch for reply in replies}) > 1:
            raise BoardNotLoaded(board.category)
        # A shard stores nothing of a closed window that nobody was put on there (`put.lua`), so it may lack somebody.
        # The window is read from PostgreSQL then.
        if board.window.is_closed(self._runtime.clock()) and not all(reply.is_written for reply in replies):
            raise BoardNotLoaded(board.category)
        return dict(zip(questions, replies, strict=True))
