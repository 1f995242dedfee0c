"""Split categories: boards whose users are divided over several shards, each in a slot of its own of a cluster.

Every class here extends the one of unsplit categories and leaves those to it.
"""

from app.services.board_index.shards.change_shards import ChangeShards
from app.services.board_index.shards.index import SplitBoardIndex
from app.services.board_index.shards.loader import SplitIndexLoader
from app.services.board_index.shards.rows import SplitIndexRows

__all__ = ["ChangeShards", "SplitBoardIndex", "SplitIndexLoader", "SplitIndexRows"]
