"""Entries of a board."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.domain.boards import board as domain
from app.domain.scores import ScoreFormat
from app.schema.players.users import User
from app.schema.scalars import Score


@strawberry.type(description="One entry of a leaderboard: a user with rank and score.")
class LeaderboardEntry:
    id: strawberry.ID = strawberry.field(description="A stable identifier of this user's entry on this board.")
    rank: int = strawberry.field(
        description=(
            "The position on the board, starting at 1. Never shared: equal scores are ordered by who reached the "
            "score first, then by user id."
        )
    )
    competition_rank: int = strawberry.field(
        description=(
            "1 plus the number of users with a better score, so users with equal scores share it. Use it for "
            'medals and for "tied" labels.'
        )
    )
    tied_with: int = strawberry.field(description="How many other users have exactly the same score.")
    score: Score = strawberry.field(description="The user's score on this board.")
    reached_at: datetime = strawberry.field(description="When the user reached this score.")
    user: User = strawberry.field(description="The user at this position.")

    score_format: strawberry.Private[ScoreFormat]

    @strawberry.field(description="The score as text, in the `scoreFormat` of the category: for example `1:23.250`.")
    def formatted_score(self) -> str:
        """Format the score, which few operations select."""
        return self.score_format.text(self.score)

    @staticmethod
    def of(entry: domain.Entry, board_key: str, score_format: ScoreFormat) -> LeaderboardEntry:
        """Convert an entry of the board that `board_key` names."""
        user = User.of(entry.user)
        return LeaderboardEntry(
            id=strawberry.ID(f"{board_key}/{user.id}"),
            rank=entry.rank,
            competition_rank=entry.competition_rank,
            tied_with=entry.tied_with,
            score=entry.score,
            reached_at=entry.reached_at,
            user=user,
            score_format=score_format,
        )
