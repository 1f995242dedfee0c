"""The board index: copies of all live boards in Redis, for fast ranks. PostgreSQL is authoritative."""

from app.services.board_index.index import BoardIndex, BoardNotLoaded, PutResult, Ranks, ViewRequest, ViewsReply
from app.services.board_index.layout import Keys, is_evicted, join_member, split_member
from app.services.board_index.loader import IndexLoader

__all__ = [
    "BoardIndex",
    "BoardNotLoaded",
    "IndexLoader",
    "Keys",
    "PutResult",
    "Ranks",
    "ViewRequest",
    "ViewsReply",
    "is_evicted",
    "join_member",
    "split_member",
]
