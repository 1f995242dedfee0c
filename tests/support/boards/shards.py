"""The two sides of comparisons: a category that is split, and the same one that is not, in one Redis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from app.domain.boards.board import Board
from app.runtime import Runtime
from app.services.board_index import BoardIndex, IndexLoader, Keys
from app.services.board_index.shards import SplitBoardIndex, SplitIndexLoader
from app.services.board_index.shards.layout import shard_boards
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.redis_caller import REDIS_FAILURES, RedisCaller
from app.wiring import App
from tests.support.boards.board_rows import BIRTH

SHARDS = 3

EPOCH = "e" * 32


async def split(app: App, shards: int = SHARDS, category: str = "global") -> None:
    """Split a category that nobody has played in, and load it."""
    async with app.database.begin() as connection:
        values = {"shards": shards, "category": category}
        await connection.execute(text("UPDATE categories SET shards = :shards WHERE id = :category"), values)
    await app.catalogue.refresh()
    await app.rebuild.rebuild(app.catalogue.current.category(category), force=True)


@dataclass(frozen=True)
class Copies:
    """A category in Redis: its index, what loads it, and what counts the calls of both."""

    caller: RedisCaller
    index: BoardIndex
    loader: IndexLoader
    keys: Keys

    async def begin(self, *boards: Board) -> None:
        """Load boards of nobody."""
        await self.loader.begin(boards[0].category, boards, EPOCH, "", BIRTH)
        assert await self.loader.finish(boards[0].category, EPOCH)


def copies_of(app: App, name: str, shards: int, *, days: int = 0) -> Copies:
    """Return copies under a prefix of their own, in an index whose clock shows `days` after `BIRTH`."""
    keys = Keys(f"{app.settings.redis_prefix}-{name}")
    runtime = Runtime(clock=lambda: BIRTH + timedelta(days=days))
    caller = RedisCaller(CircuitBreaker("redis", REDIS_FAILURES, app.runtime))
    index = SplitBoardIndex(app.redis, caller, keys, runtime, lambda category: shards)
    return Copies(caller, index, SplitIndexLoader(app.redis, caller, keys, lambda category: shards), keys)


def index_loader_of(app: App) -> IndexLoader:
    """Return what loads and examines the categories of the service."""
    keys = Keys(app.settings.redis_prefix)
    return SplitIndexLoader(app.redis, app.redis_caller, keys, app.catalogue.shard_count)


def parts_of(app: App, board: Board) -> list[Board]:
    """Return the boards that a board consists of in Redis: one per shard, or itself."""
    shards = app.catalogue.shard_count(board.category)
    return [board] if shards == 1 else list(shard_boards(board, shards))
