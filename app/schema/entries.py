"""Lines of a board."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.domain import boards as domain
from app.schema.users import User


@strawberry.type(description="One line of a board.")
class LeaderboardEntry:
    id: strawberry.ID = strawberry.field(description="Stable: names the board and the user.")
    rank: int = strawberry.field(
        description="1-based position: by score, then who reached it earlier, then user id. Never shared."
    )
    competition_rank: int = strawberry.field(description="1 + the users with a better score: equal scores share it.")
    tied_with: int = strawberry.field(description="How many other users have the same score.")
    score: int = strawberry.field(description="The score on this board.")
    reached_at: datetime = strawberry.field(description="When the score became what it is.")
    user: User = strawberry.field(description="Whose line it is.")

    @staticmethod
    def of(entry: domain.Entry, board_key: str) -> LeaderboardEntry:
        user = User.of(entry.user)
        return LeaderboardEntry(
            id=strawberry.ID(f"{board_key}/{user.id}"),
            rank=entry.rank,
            competition_rank=entry.competition_rank,
            tied_with=entry.tied_with,
            score=entry.score,
            reached_at=entry.reached_at,
            user=user,
        )
