"""The board index: copies of all live boards in Redis, for fast ranks. PostgreSQL is authoritative."""

from app.services.board_index.index import BoardIndex, BoardNotLoaded, PutResult, Ranks, ViewRequest, ViewsReply
from app.services.board_index.layout import Keys, is_evicted, join_member, split_member
from app.services.board_index.loader import IndexLoader
from app.stores.redis_caller import REDIS_FAILURES, RedisCaller, RedisUnreachable

__all__ = [
    "REDIS_FAILURES",
    "BoardIndex",
    "BoardNotLoaded",
    "IndexLoader",
    "Keys",
    "PutResult",
    "Ranks",
    "RedisCaller",
    "RedisUnreachable",
    "ViewRequest",
    "ViewsReply",
    "is_evicted",
    "join_member",
    "split_member",
]
