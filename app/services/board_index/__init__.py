"""The copies of all live boards in Redis: fast ranks, never the truth."""

from app.services.board_index.index import Answer, Cold, Outcome, Ranks, Request, Standings
from app.services.board_index.layout import Keys, has_left, join_member, split_member
from app.services.board_index.loader import Loading
from app.stores.redis import REDIS_FAILURES, Guard, Unreachable

__all__ = [
    "REDIS_FAILURES",
    "Answer",
    "Cold",
    "Guard",
    "Keys",
    "Loading",
    "Outcome",
    "Ranks",
    "Request",
    "Standings",
    "Unreachable",
    "has_left",
    "join_member",
    "split_member",
]
