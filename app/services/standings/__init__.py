"""The copies of all live boards in Redis: fast ranks, never the truth."""

from app.services.standings.layout import Keys, has_left, join_member, split_member
from app.services.standings.loading import Loading
from app.services.standings.standings import Answer, Cold, Outcome, Ranks, Request, Standings
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
