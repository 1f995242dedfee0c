"""Find the pivot of a deep page: an entry of a split board that is not far from the offset of the page."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.boards.board import Board
from app.services.board_index.shards.ask import AskShards
from app.services.board_index.shards.merge import read_position
from app.stores.redis_caller import RedisUnreachable

REACH = 100
"""How far the pivot may be from the offset of its page. So many more rows are read on both sides."""

MAX_STEPS = 3
"""Entries that are tried, with two rounds for each: one reads it, and one counts what precedes it."""


async def find_pivot(ask: AskShards, board: Board, sizes: Sequence[int], offset: int) -> bytes:
    """Return the position of an entry whose offset differs from `offset` by at most `REACH`.

    Users are divided by a hash, so an entry is expected at the same share of a shard as of the board. How far off it is
    grows with the square root of the distance, so each step starts from the last: in the middle of ten million users in
    three shards the first is about 3 000 entries off, the second 80, and the third 13.

    Args:
        ask: Asks the shards.
        board: The board.
        sizes: The number of visible users of each shard.
        offset: The offset of the page, less than the sum of `sizes`.

    Raises:
        BoardNotLoaded: See `AskShards.some`.
        RedisUnreachable: A shard did not answer, or there is no such entry where it is expected.
    """
    total, size = sum(sizes), max(sizes)
    largest = sizes.index(size)
    index = offset * size // total
    for _ in range(MAX_STEPS):
        index = max(0, min(index, size - 1))
        replies = await ask.some(board, len(sizes), {largest: [("row", index, 0, 0)]})
        position = read_position(replies[largest].answers[0])
        if position is None:  # The shard has become smaller.
            break
        counts = await ask.all(board, [[("count", position, 0, 0)]] * len(sizes))
        preceding = sum(reply.answers[0] for reply in counts)
        if abs(preceding - offset) <= REACH:
            return position
        index += (offset - preceding) * size // total
    raise RedisUnreachable(f"no entry of {board.key} was found near the offset {offset}")
